"""The driver of a study: command line, progress, devices, provenance, claims."""
