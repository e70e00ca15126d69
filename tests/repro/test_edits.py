"""One edit at a time, run with the real ``dvc repro``: exactly the stages that it enters run, and no other.

Afterwards the edit is taken back: every stage is restored from the run-cache and none is executed, but for
configure, which costs less than a second and is no part of the cache (its outputs are in git).
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import copy_of, ran_workspace
from safetensors.numpy import load_file, save_file
from workspaces import call

CONFIGURE = {"configure"}
AFTER_TRAIN = {"train", "evaluate", "compress", "package"}
AFTER_PREPROCESS = AFTER_TRAIN | {"preprocess"}
ALL = AFTER_PREPROCESS | {"ingest"}

Edit = Callable[[Path], dict[str, str] | None]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(ran_workspace(tmp_path_factory), tmp_path_factory.mktemp("edits") / "project")


def replace(name: str, old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        (root / name).write_text(text.replace(old, new, 1))

    return edit


def append(name: str, text: str) -> Edit:
    def edit(root: Path) -> None:
        file = root / name
        file.write_text((file.read_text() if file.is_file() else "") + text)

    return edit


def reorder(root: Path) -> None:
    lines = (root / "params.yaml").read_text().splitlines(keepends=True)
    (root / "params.yaml").write_text("".join(reversed(lines)))


def upgrade(name: str) -> Edit:
    """Put another version of a library's metadata before the installed one."""

    def edit(root: Path) -> dict[str, str]:
        folder = root.parent / "libraries" / name / f"{name.replace('-', '_')}-999.0.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 999.0\n")
        return {"PYTHONPATH": f"{root / 'src'}:{folder.parent}"}

    return edit


def older_python(root: Path) -> None:
    """Make the record say that another Python ran the stages."""
    for file in (root / "dvc.lock", *(root / "build").glob("*.yaml")):
        file.write_text(file.read_text().replace("python: '3.", "python: '2."))


def variable(name: str, value: str) -> Edit:
    return lambda _: {name: value}


EDITS: dict[str, tuple[Edit, set[str]]] = {
    "a comment in the chosen network": (append("src/stagewise/models/mlp.py", "\n# a comment\n"), CONFIGURE),
    "a docstring of the training code": (
        replace("src/stagewise/training/train.py", '"""The training run', '"""A training run'),
        CONFIGURE,
    ),
    "formatting of a helper": (
        replace("src/stagewise/data/splits.py", "import ", "\n\n\nimport "),
        CONFIGURE,
    ),
    "a comment in params.yaml": (append("params.yaml", "# a comment\n"), CONFIGURE),
    "a comment in a chosen config": (append("conf/model/mlp.yaml", "# a comment\n"), CONFIGURE),
    "the order of keys": (reorder, CONFIGURE),
    "a value that repeats the default": (append("params.yaml", "scheduler: one_cycle\n"), CONFIGURE),
    "an unrelated choice of a group": (append("conf/trainer/gpu.yaml", "gradient_clip: 1.0\n"), CONFIGURE),
    "a new choice of a group": (append("conf/model/other.yaml", "_target_: stagewise.models.cnn.CNN\n"), CONFIGURE),
    "an unrelated new module": (append("src/stagewise/unrelated.py", "VALUE = 1\n"), CONFIGURE),
    "an unchosen network": (append("src/stagewise/models/vit.py", "\nVALUE = 1\n"), CONFIGURE),
    "the command line": (append("src/stagewise/cli.py", "\nVALUE = 1\n"), CONFIGURE),
    "the code that composes": (append("src/stagewise/config/compose.py", "\nVALUE = 1\n"), CONFIGURE),
    "the chosen network": (append("src/stagewise/models/mlp.py", "\nVALUE = 1\n"), CONFIGURE | AFTER_TRAIN),
    "a helper that all stages share": (append("src/stagewise/errors.py", "\nVALUE = 1\n"), CONFIGURE | ALL),
    "a constant of a class": (
        replace("src/stagewise/data/storage.py", '    """', '    VALUE = 1\n    """'),
        CONFIGURE | AFTER_PREPROCESS,
    ),
    "a new import": (append("src/stagewise/data/splits.py", "\nimport math\n"), CONFIGURE | {"preprocess", "package"}),
    "the script of a stage": (append("stages/evaluate.py", "\nVALUE = 1\n"), CONFIGURE | {"evaluate", "package"}),
    "an unchosen task": (append("src/stagewise/tasks/regression/module.py", "\nVALUE = 1\n"), CONFIGURE),
    "the code of another kind of input": (append("src/stagewise/tasks/inputs/text.py", "\nVALUE = 1\n"), CONFIGURE),
    "an experiment that is not chosen": (append("conf/experiment/adult.yaml", "seed: 3\n"), CONFIGURE),
    "the template of a task": (
        append("src/stagewise/tasks/classification/evaluation.html.jinja", "{# new #}"),
        CONFIGURE | {"evaluate", "package"},
    ),
    "the style of the report": (
        append("src/stagewise/report/page.css", "\n.new{color:red}\n"),
        CONFIGURE | {"evaluate", "package"},
    ),
    "a comment in a file that is shipped": (
        append("src/stagewise/packaging/predictor.py", "\n# a comment\n"),
        CONFIGURE | {"package"},
    ),
    "the seed": (replace("params.yaml", "seed: 0", "seed: 1"), CONFIGURE | AFTER_PREPROCESS),
    "the thread count": (replace("params.yaml", "threads: 1", "threads: 2"), CONFIGURE | AFTER_PREPROCESS),
    "the learning rate": (replace("params.yaml", "lr: 0.005", "lr: 0.004"), CONFIGURE | AFTER_TRAIN),
    "the number of resamples": (
        replace("params.yaml", "resamples: 10", "resamples: 20"),
        CONFIGURE | {"evaluate", "package"},
    ),
    "the accuracy drop that is allowed": (
        replace("params.yaml", "use: fp32", "use: fp32, max_drop: 0.1"),
        CONFIGURE | {"compress", "package"},
    ),
    "the version of the package": (replace("params.yaml", "0.1.0", "0.1.1"), CONFIGURE | {"package"}),
    "a logging level": (variable("STAGEWISE_LOG_LEVEL", "INFO"), set()),
    "the text of a page": (append("docs/gpu.md", "more\n"), set()),
    "a file of one's own data": (append("data/own/notes.txt", "new\n"), {"ingest"}),
    "a library of a few stages": (
        upgrade("pillow"),
        CONFIGURE | {"preprocess", "evaluate", "package"},
    ),
    "a library of the training alone": (upgrade("pytorch-lightning"), CONFIGURE | {"train", "package"}),
    "the version of Python": (older_python, CONFIGURE | ALL),
}


def test_another_image_size_is_another_run(trained: Path) -> None:
    """DVC's run-cache does not look at values named ``size``: the stage key does."""
    params = trained / "params.yaml"
    text = params.read_text()
    sizes = []
    for size in ("[8, 8]", "[4, 4]", "[8, 8]"):
        params.write_text(text.replace("data: digits", f"data: {{use: digits, feature: {{size: {size}}}}}"))
        call(trained, "dvc", "repro", "preprocess")
        schema = json.loads((trained / "data" / "processed" / "schema.json").read_text())
        sizes.append(schema["features"][0]["shape"][:2])
    assert sizes == [[8, 8], [4, 4], [8, 8]]
    params.write_text(text)
    call(trained, "dvc", "repro")


@pytest.mark.long
def test_other_weights_to_start_from_are_another_run(trained: Path) -> None:
    """A file that a config names enters by its content; given back, everything is restored."""
    params, weights = trained / "params.yaml", trained / "weights" / "start.safetensors"
    text = params.read_text()
    weights.parent.mkdir()
    start = load_file(trained / "models" / "trained" / "model.safetensors")
    save_file(start, weights)
    params.write_text(text.replace("loggers: []", "loggers: [], init_from: weights/start.safetensors"))
    call(trained, "stagewise", "repro")
    before = weights.read_bytes()
    save_file({name: tensor * 0.5 for name, tensor in start.items()}, weights)
    assert "weights/start.safetensors changed" in call(trained, "stagewise", "plan", "--check", code=1).stdout
    assert stages(call(trained, "stagewise", "repro").stdout) == (CONFIGURE | AFTER_TRAIN, set())
    weights.write_bytes(before)
    assert stages(call(trained, "stagewise", "repro").stdout) == (CONFIGURE, AFTER_TRAIN)
    params.write_text(text)
    call(trained, "stagewise", "repro")


QUIET = [name for name, (_, expected) in EDITS.items() if expected <= CONFIGURE]
"""What enters no stage; `make long` tries each of them alone."""
LIKE_OTHERS = {
    "a constant of a class",
    "the version of Python",
    "the thread count",
    "the learning rate",
    "the style of the report",
    "the number of resamples",
    "a library of a few stages",
    "the template of a task",
    "the seed",
    "a helper that all stages share",
    "the accuracy drop that is allowed",
    "the script of a stage",
    "a new import",
}
"""What runs the same stages as another edit, for another reason; in `make long`, too."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in QUIET or name in LIKE_OTHERS)) for name in EDITS]
)
def test_an_edit_runs_exactly_what_it_enters(trained: Path, name: str) -> None:
    check(trained, [name])


def test_edits_that_enter_no_stage_run_none_together(trained: Path) -> None:
    assert len(QUIET) > 15
    check(trained, QUIET)


def check(trained: Path, names: list[str]) -> None:
    """Make the edits, see what runs, take them back, see that nothing runs but configure."""
    expected = set().union(*(EDITS[name][1] for name in names))
    kept = {file: file.read_bytes() for file in trained.rglob("*") if file.is_file() and is_source(trained, file)}
    variables: dict[str, str] = {}
    for name in names:
        variables |= EDITS[name][0](trained) or {}
    try:
        ran, restored = stages(call(trained, "stagewise", "repro", **variables).stdout)
        assert ran | restored == expected
    finally:
        for file in trained.rglob("*"):
            if file.is_file() and is_source(trained, file) and file not in kept:
                file.unlink()
        for file, content in kept.items():
            if not file.is_file() or file.read_bytes() != content:
                file.write_bytes(content)
    ran, _ = stages(call(trained, "stagewise", "repro").stdout)
    assert ran <= CONFIGURE | {"ingest"} if "a file of one's own data" in names else ran <= CONFIGURE
    if expected != CONFIGURE:  # else the run before has shown it
        assert stages(call(trained, "stagewise", "repro").stdout) == (set(), set())


def is_source(root: Path, file: Path) -> bool:
    parts = file.relative_to(root).parts
    return parts[0] in {"src", "conf", "stages", "params.yaml", "docs"} or parts[:2] == ("data", "own")


def stages(printed: str) -> tuple[set[str], set[str]]:
    """Return the stages that ran, and those restored from the run-cache."""
    lines = printed.splitlines()
    ran = {line.split("'")[1] for line in lines if line.startswith("Running stage")}
    restored = {line.split("'")[1] for line in lines if "is cached - skipping run" in line}
    return ran, restored
