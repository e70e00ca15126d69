"""Vocabularies of text, trained so that equal texts give equal bytes, and how they are shown."""
