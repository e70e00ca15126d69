"""Drift in the service: what is observed, the labels that come back, and what is told of it."""
