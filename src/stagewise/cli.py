"""The ``stagewise`` command."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from stagewise.errors import StagewiseError

EXAMPLES = """\
examples:
  stagewise repro                                     run every stage that changed, then show the result
  stagewise summary                                   show the result again
  stagewise configure                                 compose and check params.yaml and conf/
  stagewise plan                                      which stages would run, and why
  stagewise config train model=mlp                    what a stage gets, and where each value was written
  stagewise diff HEAD~1                               what enters the stages now and did not before
  stagewise predict dist/my-model-0.1.0 INPUT         print what a package answers
  stagewise predict dist/my-model-0.1.0 IN --out o.csv  the answers for files and folders of any size
  stagewise serve dist/my-model-0.1.0                 answer over HTTP
  stagewise layout triton dist/my-model-0.1.0 OUT     write a package as another server wants it
  stagewise verify dist/my-model-0.1.0                whether a package is whole, works, and comes from here
  stagewise review HEAD --against main                execute a revision again and judge every stage
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 after a mistake of the user, else what the command says."""
    options = _parse(sys.argv[1:] if arguments is None else list(arguments))
    try:
        sys.exit(options.run(options))
    except StagewiseError as error:
        print(f"stagewise {options.command}: {error}", file=sys.stderr)
        sys.exit(2)
    except (OSError, MemoryError, ModuleNotFoundError) as error:
        if (told := _explain(error)) is None:
            raise
        print(f"stagewise {options.command}: {told}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _explain(error: Exception) -> StagewiseError | None:
    """What to tell the user about an error that is not the project's own; None where it is a fault of the project."""
    if isinstance(error, ModuleNotFoundError):
        from stagewise.extras import explain_missing

        return explain_missing(error)
    from stagewise.config.machine import explain

    return explain(error, Path.cwd())


def _parse(arguments: list[str]) -> argparse.Namespace:
    """What follows some commands is passed on as it is; argparse would take options among it for its own."""
    if arguments[:1] not in (["repro"], ["sweep"], ["serve"]):
        return _parser().parse_args(arguments)
    options = _parser().parse_args(arguments[:1])
    options.arguments = arguments[1:]
    return options


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
    repro.add_argument("arguments", nargs="*", help="passed on to dvc repro")
    repro.set_defaults(run=_repro)

    summary = commands.add_parser("summary", help="show accuracy, size, latency and where everything lies")
    summary.set_defaults(run=_summary)

    configure = commands.add_parser("configure", help="compose and check the config, write build/<stage>.yaml")
    configure.add_argument(
        "overrides", nargs="*", help="Hydra overrides laid over params.yaml: model=mlp optimizer.lr=0.01"
    )
    configure.set_defaults(run=_configure)

    _add_questions(commands)
    _add_review(commands)
    _add_trust(commands)
    _add_layout(commands)

    predict = commands.add_parser("predict", help="print what a package answers")
    predict.add_argument("package", type=Path, help="folder of a package: dist/<name>-<version>")
    predict.add_argument(
        "inputs",
        nargs=argparse.REMAINDER,
        help="inputs, as the package takes them; also --json, --top K, --self-test, --out FILE",
    )
    predict.set_defaults(run=_predict)

    serve = commands.add_parser("serve", help="answer over HTTP with packages (needs stagewise[serve])")
    serve.add_argument("arguments", nargs="*", help="packages; --help says more")
    serve.set_defaults(run=_serve)
    _add_drift(commands)
    return parser


def _add_questions(commands: Any) -> None:
    """Add the commands that only answer, and leave the workspace as it is, and the schema for editors."""
    plan = commands.add_parser("plan", help="show which stages would run and why, without running any")
    plan.add_argument("--check", action="store_true", help="exit with 1 when a stage would run, with 0 otherwise")
    plan.set_defaults(run=_plan)

    config = commands.add_parser("config", help="print the resolved config with the origin of each value")
    config.add_argument("arguments", nargs="*", metavar="[stage] overrides", help="a stage; Hydra overrides")
    config.set_defaults(run=_config)

    diff = commands.add_parser("diff", help="compare the configs, code and libraries of two git revisions")
    diff.add_argument("old", metavar="REV", help="a git revision")
    diff.add_argument("new", metavar="REV2", nargs="?", help="another one; without it, the working tree")
    diff.set_defaults(run=_diff)

    schema = commands.add_parser("schema", help="write the JSON Schema of the config, for editors")
    schema.set_defaults(run=_schema)


def _add_review(commands: Any) -> None:
    """Add the commands that prove a result, check the proof, and search for a better one."""
    review = commands.add_parser(
        "review",
        help="execute a revision again from its raw inputs and judge every stage",
        epilog="exit codes: 0 identical, 10 numerically equivalent, 11 statistically equivalent, 12 inconclusive, "
        "13 differs, 14 a stage failed, 20 reproduced but with errors in the revision itself, 2 a mistake in the call",
    )
    review.add_argument("revision", metavar="REV", nargs="?", default="HEAD", help="a git revision (HEAD)")
    review.add_argument("--against", metavar="REV", help="show the figures that another revision recorded beside")
    review.add_argument("--once", action="store_true", help="do not execute again what came out otherwise")
    review.add_argument("--out", type=Path, metavar="DIR", help="where the files go (.stagewise/reviews/<commit>)")
    review.add_argument("--markdown", action="store_true", help="print the comment for a pull request instead")
    review.add_argument("--attest", action="store_true", help="also write an in-toto statement over the result")
    review.add_argument("--key", type=Path, metavar="PEM", help="private key (Ed25519 or P-256) that signs it")
    review.set_defaults(run=_review)

    sweep = commands.add_parser("sweep", help="run the whole pipeline for every choice of a search")
    sweep.add_argument("arguments", nargs="*", help="Hydra's multirun overrides; or show, best, apply")
    sweep.set_defaults(run=_sweep)


def _add_trust(commands: Any) -> None:
    """Add the commands that bind a package to a commit, and check packages and statements."""
    release = commands.add_parser("release", help="bind a package to the commit whose dvc.lock records it")
    release.add_argument("package", type=Path, nargs="?", help="its folder (dist/<name>-<version> of params.yaml)")
    release.add_argument("--key", type=Path, metavar="PEM", help="private key (Ed25519 or P-256) that signs it")
    release.add_argument("--tag", action="store_true", help="make the git tag by which dvc artifacts get finds it")
    release.set_defaults(run=_release)

    number = commands.add_parser("version", help="what changed since the last release, and the version that asks for")
    number.add_argument("--bump", action="store_true", help="write that version into params.yaml")
    number.set_defaults(run=_version)

    verify = commands.add_parser(
        "verify", help="check a package, or the statement of a review: signature, and what it is about"
    )
    verify.add_argument(
        "file", type=Path, metavar="WHAT", help="dist/<name>-<version> or its .zip; or review.intoto.json"
    )
    verify.add_argument("--key", type=Path, metavar="PEM", help="public key that must have signed it")
    verify.add_argument("--review", type=Path, metavar="JSON", help="the review a statement is about (beside it)")
    verify.add_argument(
        "--release", type=Path, metavar="DIR", help="the record of a package (releases/<name>-<version>)"
    )
    verify.set_defaults(run=_verify)


def _add_drift(commands: Any) -> None:
    """Add the command that tells what a log of the service says."""
    from stagewise.drift.options import add_drift_command_arguments

    drift = commands.add_parser(
        "drift",
        help="whether what a log of the service holds has drifted, as a page",
        epilog="exit codes: 0 no window drifted, 1 one did, 2 a mistake in the call",
    )
    add_drift_command_arguments(drift)
    drift.set_defaults(run=_drift)


def _add_layout(commands: Any) -> None:
    """Add the command that writes a package for another server."""
    layout = commands.add_parser("layout", help="write a package as another server wants it")
    layout.add_argument("kind", choices=["docker", "huggingface", "mlflow", "triton"], help="for what")
    layout.add_argument("package", type=Path, help="folder of a package: dist/<name>-<version>")
    layout.add_argument("out", type=Path, help="folder to write, which does not exist yet")
    layout.set_defaults(run=_layout)


def _repro(options: argparse.Namespace) -> int:
    from stagewise.config.reproduce import reproduce
    from stagewise.extras import require
    from stagewise.summary import print_summary

    require("dvc")
    code = reproduce(Path.cwd(), options.arguments)
    if code == 0 and not options.arguments:  # a part of the pipeline leaves figures of an earlier run
        print_summary(Path.cwd())
    return code


def _summary(_: argparse.Namespace) -> int:
    from stagewise.summary import print_summary

    print_summary(Path.cwd())
    return 0


def _configure(options: argparse.Namespace) -> int:
    from stagewise.config.life import die_with_parent
    from stagewise.config.resolve import configure

    die_with_parent(Path.cwd())
    configure(Path.cwd(), options.overrides)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from stagewise.config.history import last_times
    from stagewise.config.inspect.plan import plan
    from stagewise.config.inspect.plan_text import print_plan

    stages = plan(Path.cwd())
    print_plan(stages, last_times(Path.cwd()))
    return int(options.check and any(stage.would_run for stage in stages))


def _config(options: argparse.Namespace) -> int:
    from stagewise.config.inspect.show import annotated_config, print_config, split_stage

    stage, overrides = split_stage(options.arguments)
    print_config(annotated_config(Path.cwd(), stage, overrides))
    return 0


def _diff(options: argparse.Namespace) -> int:
    from stagewise.config.inspect.difference import differences, print_differences

    print_differences(differences(Path.cwd(), options.old, options.new))
    return 0


def _schema(_: argparse.Namespace) -> int:
    from stagewise.config.export import write_schemas

    for file in write_schemas(Path.cwd()):
        print(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from stagewise.packaging.batch.command import main as write
    from stagewise.packaging.batch.command import refuse_without_file, wants_file

    if wants_file(options.inputs):
        return write(options.inputs, options.package)
    refuse_without_file(options.inputs, options.package)
    from stagewise.packaging.predictor import main as predict

    return predict(options.inputs, folder=options.package, prog="stagewise predict PACKAGE")


def _layout(options: argparse.Namespace) -> int:
    from stagewise.packaging.layouts.lay_out import lay_out

    print(f"{options.out}\nnext: {lay_out(options.kind, options.package, options.out)}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from stagewise.serving.__main__ import main as serve

    return serve(options.arguments)


def _drift(options: argparse.Namespace) -> int:
    from stagewise.drift.report import run_drift

    return run_drift(options)


def _review(options: argparse.Namespace) -> int:
    from stagewise.review.command import run_review

    return run_review(Path.cwd(), options)


def _sweep(options: argparse.Namespace) -> int:
    from stagewise.sweeps.command import run

    return run(Path.cwd(), options.arguments)


def _release(options: argparse.Namespace) -> int:
    from stagewise.packaging.command import run_release

    return run_release(Path.cwd(), options)


def _version(options: argparse.Namespace) -> int:
    from stagewise.packaging.command import run_version

    return run_version(Path.cwd(), options.bump)


def _verify(options: argparse.Namespace) -> int:
    from stagewise.packaging.trust.verify import is_package

    package = is_package(options.file)
    if options.review if package else options.release:
        raise StagewiseError(
            "--review is for a statement" if package else "--release is for a package",
            where=str(options.file),
            why="this is a package" if package else "this is neither a folder nor a .zip",
            fix="leave it out",
        )
    if not package:
        from stagewise.review.command import run_verify as run_verify_statement

        return run_verify_statement(options.file, options.key, options.review)
    from stagewise.packaging.command import run_verify

    return run_verify(options.file, Path.cwd(), options.key, options.release)
