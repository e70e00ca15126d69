"""A package behind HTTP: one process, no framework for training in it."""
