"""Readers: each yields the raw rows of one published layout, one at a time and in a fixed order."""
