"""Answers for files and folders of any size, written to a file, and gone on with where a run was ended."""
