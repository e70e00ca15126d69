"""A package as one file: zip and wheel."""
