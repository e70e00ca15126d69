"""The ``stagewise`` command."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from stagewise.errors import StagewiseError

EXAMPLES = """\
examples:
  stagewise repro                                     run every stage that changed, then show the result
  stagewise summary                                   show the result again
  stagewise configure                                 compose and check params.yaml and conf/
  stagewise predict dist/image-classifier-0.1.0 *.png print label and probability of images
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 after a mistake of the user, else what the command says."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.run(options))
    except StagewiseError as error:
        print(f"stagewise {options.command}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stagewise",
        description="Declarative deep-learning pipelines: from raw data to a compressed, packaged model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stagewise {version('stagewise')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    repro = commands.add_parser("repro", help="run every stage that changed, then show the result")
    repro.add_argument("dvc", nargs=argparse.REMAINDER, help="passed on to dvc repro")
    repro.set_defaults(run=_repro)

    summary = commands.add_parser("summary", help="show accuracy, size, latency and where everything lies")
    summary.set_defaults(run=_summary)

    configure = commands.add_parser("configure", help="compose and check the config, write build/<stage>.yaml")
    configure.add_argument(
        "overrides", nargs="*", help="Hydra overrides laid over params.yaml: model=mlp optimizer.lr=0.01"
    )
    configure.set_defaults(run=_configure)

    predict = commands.add_parser("predict", help="print label and probability of images")
    predict.add_argument("package", type=Path, help="folder of a package: dist/<name>-<version>")
    predict.add_argument("images", nargs=argparse.REMAINDER, help="image files; also --json, --top K, --self-test")
    predict.set_defaults(run=_predict)
    return parser


def _repro(options: argparse.Namespace) -> int:
    from stagewise.config.reproduce import reproduce
    from stagewise.summary import print_summary

    code = reproduce(Path.cwd(), options.dvc)
    if code == 0:
        print_summary(Path.cwd())
    return code


def _summary(_: argparse.Namespace) -> int:
    from stagewise.summary import print_summary

    print_summary(Path.cwd())
    return 0


def _configure(options: argparse.Namespace) -> int:
    from stagewise.config.resolve import configure

    configure(Path.cwd(), options.overrides)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from stagewise.packaging.predictor import main as predict

    return predict(options.images, folder=options.package)
