"""Releases, versions, signatures, and checking all of them."""
