"""Learned priors for restoration, and the classical filters that they are measured against."""
