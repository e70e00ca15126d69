"""The commands ``stagewise review`` and ``stagewise verify``."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from stagewise.errors import ReviewError
from stagewise.review.output.markdown import to_markdown
from stagewise.review.output.statement import write_statement
from stagewise.review.output.table import print_review
from stagewise.review.output.verify import verify_statement
from stagewise.review.output.write import write_review
from stagewise.signing.envelope import load_private_key

FOLDER = Path(".stagewise/reviews")


def run_review(root: Path, options: argparse.Namespace) -> int:
    """Review a revision, write review.json, review.html and review.md, print the table; return the exit code.

    Args:
        root: the project.
        options: ``revision``, ``against``, ``once``, ``out``, ``markdown``, ``attest``, ``key``.

    Raises:
        ReviewError, ConfigError, SignatureError: the review cannot be made.
    """
    if options.key is not None and not options.attest:
        raise ReviewError("--key signs a statement, and none is asked for", fix="add --attest")
    if options.key is not None:
        load_private_key(options.key)  # told now, not after minutes of work
    from stagewise.review.review import review  # DVC and torch take seconds

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = review(root, options.revision, options.against, once=options.once, say=say)
    folder = options.out or root / FOLDER / result.revision.commit[:12]
    files = write_review(result, folder)
    if options.attest:
        files["statement" if options.key else "statement, unsigned"] = write_statement(result, folder, options.key)
    if options.markdown:
        print(to_markdown(result))
    print_review(result, Console(stderr=options.markdown, highlight=False), files)
    return result.exit_code


def run_verify(file: Path, key: Path | None, review: Path | None) -> int:
    """Check a statement and print what it says; return 0.

    Raises:
        ReviewError, SignatureError: something about it is not as it should be.
    """
    print(verify_statement(file, key, review))
    return 0
