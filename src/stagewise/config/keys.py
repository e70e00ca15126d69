"""What enters a stage beside its config: its code and its libraries.

The code of a stage is the static import closure of its script inside the project, plus the module of
every ``_target_`` in its config. Each file is digested as a syntax tree without comments, docstrings and
formatting, so that only a change of meaning changes the key. A template or other data file belongs to the module
beside it whose name it bears (``evaluation.html.jinja`` to ``evaluation.py``), else to every module of its package.
"""

import ast
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stagewise.config.digests import digest_bytes
from stagewise.config.parsed import ParsedFiles
from stagewise.config.targets import find_targets
from stagewise.errors import ConfigError


@dataclass(frozen=True)
class Module:
    """A Python file reduced to what its meaning is and what it imports."""

    digest: str
    """Empty where the file holds nothing but comments and docstrings."""
    imports: tuple[str, ...]
    """Absolute dotted names, each possibly ending in an attribute."""


def code_and_libraries(stage: str, config: dict[str, Any], root: Path) -> dict[str, dict[str, str]]:
    """Return what enters a stage beside its ``config``: ``{"code": {file: digest}, "libraries": {name: version}}``."""
    targets = [str(target) for _, target in find_targets(config)]
    return code_behind(targets, root, root / "stages" / f"{stage}.py")


def code_behind(names: Iterable[str], root: Path, *files: Path) -> dict[str, dict[str, str]]:
    """Return the same for modules, classes or functions by dotted name, and for files."""
    names = list(names)
    closure = import_closure([*files, *(file for name in names for file in module_files(name, root))], root)
    key = {"code": code_digests(closure, root), "libraries": library_versions(closure, root, names)}
    _parsed_files(root).save()
    return key


def code_digests(closure: Iterable[Path], root: Path) -> dict[str, str]:
    """Return ``{path relative to root: digest}`` of modules and of the data files beside them, sorted by path.

    Modules that hold nothing but comments and docstrings are left out.
    """
    modules = set(closure)
    beside = {extra for folder in {file.parent for file in modules} for extra in _data_files(folder, root)}
    data = {file for file in beside if _owner(file) is None or _owner(file) in modules}
    digests = {file: _module(file, root).digest for file in modules} | {
        file: digest_bytes(file.read_bytes()) for file in data
    }
    return {file.relative_to(root).as_posix(): digests[file] for file in sorted(digests) if digests[file]}


def library_versions(closure: Iterable[Path], root: Path, targets: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of the distributions that ``closure`` imports or ``targets`` name, and Python's."""
    imported = [name for file in closure for name in _module(file, root).imports]
    names = {name.partition(".")[0] for name in (*imported, *targets)}
    owners = {owner for name in names - sys.stdlib_module_names for owner in _distributions().get(name, ())}
    versions = {owner: importlib.metadata.version(owner) for owner in sorted(owners - {"stagewise"})}
    return {"python": f"{sys.version_info.major}.{sys.version_info.minor}", **versions}


def import_closure(entries: Iterable[Path], root: Path) -> set[Path]:
    """Return ``entries`` and every project file they import, directly or not.

    An imported module stands for its file and the ``__init__.py`` of each of its parents.

    Raises:
        ConfigError: a file is not valid Python.
    """
    seen: set[Path] = set()
    names: set[str] = set()
    todo = list(entries)
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            new = set(_module(file, root).imports) - names
            names |= new
            todo.extend(other for name in new for other in module_files(name, root))
    return seen


def module_files(name: str, root: Path) -> list[Path]:
    """Return the project files under ``src/`` that importing ``name`` executes: none for a library.

    ``name`` may end in an attribute: the longest prefix that is a module counts.
    """
    files: list[Path] = []
    place = root / "src"
    for part in name.split("."):
        place = place / part
        candidates = (place / "__init__.py", place.with_name(f"{part}.py"))
        files.extend(file for file in candidates if file.is_file())
        if not place.is_dir():
            break
    return files


def _module(file: Path, root: Path) -> Module:
    stat = file.stat()
    return _read_module(file, root, stat.st_mtime_ns, stat.st_size)


@cache
def _read_module(file: Path, root: Path, _modified: int, _size: int) -> Module:
    """Parse a file once per version of it."""
    package = file.parent.relative_to(root / "src").parts if file.is_relative_to(root / "src") else ()
    content = file.read_bytes()
    digest, *imports = _parsed_files(root).get(content, ".".join(package), lambda: _parse(content, file, root, package))
    return Module(digest, tuple(imports))


@cache
def _parsed_files(root: Path) -> ParsedFiles:
    """The computation is named by this module's own content: who changes how a digest is made starts afresh."""
    return ParsedFiles(root, digest_bytes(Path(__file__).read_bytes()))


def _parse(content: bytes, file: Path, root: Path, package: tuple[str, ...]) -> list[str]:
    """Return the digest of a module, then what it imports."""
    try:
        tree = ast.parse(content, filename=str(file))
    except SyntaxError as error:
        place = f"{file.relative_to(root)}:{error.lineno}"
        raise ConfigError("a module is not valid Python", where=place, why=error.msg) from error
    imports = sorted(set(_imports(tree, package)))
    return [_digest_tree(tree), *imports]


def _digest_tree(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]  # type: ignore[attr-defined]
    return digest_bytes(ast.dump(tree, annotate_fields=False).encode()) if tree.body else ""


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a bare string: a docstring of a module, class, function or attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    for node in _runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a syntax tree, leaving out what only a type checker sees."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for other in child.orelse:
                yield from _runtime_nodes(other)
        else:
            yield from _runtime_nodes(child)


def _data_files(folder: Path, root: Path) -> Iterator[Path]:
    if folder.is_relative_to(root / "src"):
        for file in folder.iterdir():
            if file.suffix not in {".py", ".pyc", ".typed"} and file.is_file():
                yield file


def _owner(file: Path) -> Path | None:
    """The module whose name a data file bears."""
    module = file.with_name(f"{file.name.partition('.')[0]}.py")
    return module if module.is_file() else None


@cache
def _distributions() -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(owners))) for name, owners in importlib.metadata.packages_distributions().items()}
