"""``python -m stagewise.serving PACKAGE ...``, the same as ``stagewise serve``."""

import argparse
import sys
from collections.abc import Sequence

from stagewise.drift.options import add_drift_arguments, read_drift_options
from stagewise.errors import StagewiseError
from stagewise.extras import explain_missing
from stagewise.serving.options import add_arguments, read_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve packages; returns 0 after a stop, 2 after a mistake of the user."""
    parser = argparse.ArgumentParser(prog="stagewise serve", description="Serve packages over HTTP.")
    add_arguments(parser)
    add_drift_arguments(parser)
    try:
        run(parser.parse_args(arguments))
    except StagewiseError as error:
        print(f"stagewise serve: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (told := explain_missing(error)) is None:
            raise
        print(f"stagewise serve: {told}", file=sys.stderr)
        return 2
    return 0


def run(options: argparse.Namespace) -> int:
    """Serve what was parsed; returns 0.

    Raises:
        StagewiseError: an option or a package cannot be used.
    """
    chosen = read_options(options)
    from stagewise.serving.drift.router import drift  # the libraries of the extra, which --help does without
    from stagewise.serving.server import serve

    serve(options.packages, chosen, (drift(read_drift_options(options)),))
    return 0


if __name__ == "__main__":
    sys.exit(main())
