"""The commands ``stagewise release``, ``stagewise version``, and ``stagewise verify`` of a package."""

import argparse
from pathlib import Path

from stagewise.config.params import read_params
from stagewise.packaging.integrity import verify as verify_files
from stagewise.packaging.trust.release import change_since_release, check_package, default_package, release
from stagewise.packaging.trust.verify import FAILED, verify_package
from stagewise.packaging.trust.versions import Version, content_of, write_version

USER_ERROR = 2


def run_release(root: Path, options: argparse.Namespace) -> int:
    """Release a package and print what was written; return 0.

    Args:
        root: the project.
        options: ``package``, ``key``, ``tag``.

    Raises:
        PackageError, ConfigError, SignatureError: it cannot be released.
    """
    done = release(root, options.package, options.key, options.tag)
    record = done.record
    print(f"{record.name} {record.version} is the package of commit {record.revision[:12]}")
    for file in done.files:
        print(f"  {file.relative_to(root) if file.is_relative_to(root) else file}")
    print(
        f"  tag {record.tag}" + ("" if done.tagged else " (there already)" if options.tag else ": not made; add --tag")
    )
    print("next: git add releases && git commit")
    return 0


def run_verify(path: Path, root: Path, key: Path | None, record: Path | None) -> int:
    """Check a package, print a line per check, and return 0, or 2 where one failed."""
    checks = verify_package(path, root, key, record)
    print("\n".join(str(check) for check in checks))
    return USER_ERROR if any(check.state == FAILED for check in checks) else 0


def run_version(root: Path, bump: bool) -> int:
    """Print the last release, what changed since, and the version that is asked for; return 0.

    Args:
        root: the project.
        bump: write that version into params.yaml, where the one there is too low.

    Raises:
        PackageError, ConfigError: the package or params.yaml cannot be read.
    """
    folder = default_package(root)
    predictor = check_package(folder)
    change = change_since_release(root, predictor.name, content_of(predictor.schema, verify_files(folder)))
    current = Version(str(read_params(root).get("version")))
    if change.last is None or change.asked is None:
        print(f"{predictor.name} has no release yet; params.yaml has {current}")
        return 0
    print(f"last release: {change.last.version}, commit {change.last.revision[:12]}")
    print(f"changed since ({change.level.name.lower()}): {', '.join(change.names) or 'nothing'}")
    if not change.names or current.suffices(Version(change.last.version), change.level):
        print(f"params.yaml has {current}, which will do")
        return 0
    print(f"params.yaml has {current}; the rule asks for {change.asked} or more")
    if bump:
        write_version(root, change.asked)
        print(f"params.yaml has {change.asked} now; next: stagewise repro")
    return 0
