"""review.json, review.html and review.md in a folder."""

from pathlib import Path

from stagewise.review.output import COMMENT, JSON, PAGE
from stagewise.review.output.markdown import to_markdown
from stagewise.review.output.page import to_html
from stagewise.review.record import Review


def to_json(review: Review) -> str:
    """The whole review, in the order of its model; equal reviews give equal text."""
    return review.model_dump_json(indent=2) + "\n"


def write_review(review: Review, folder: Path) -> dict[str, Path]:
    """Write the three files into ``folder``, which is made if need be, and return their paths: json, page, comment."""
    texts = {
        "json": (JSON, to_json(review)),
        "page": (PAGE, to_html(review)),
        "comment": (COMMENT, to_markdown(review)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.values():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return {word: folder / name for word, (name, _) in texts.items()}
