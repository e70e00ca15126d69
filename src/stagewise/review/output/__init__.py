"""What becomes of a review: a table, a page, a comment, a signed statement."""

JSON, PAGE, COMMENT = "review.json", "review.html", "review.md"
"""Files of a review in its folder."""

STATEMENT = "review.intoto.json"
"""The statement over JSON, beside it."""
