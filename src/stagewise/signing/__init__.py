"""Signed texts, and files of strangers: what reviews and releases share."""
