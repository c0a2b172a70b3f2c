"""Families of signals and images, their degradations, and the files they come from."""
