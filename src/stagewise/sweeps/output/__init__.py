"""What becomes of a sweep: a live table, a ranking, a page, an export."""

PAGE = "sweep.html"
"""The page of a sweep, in its folder."""
