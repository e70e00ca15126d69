"""``stagewise config``: the resolved config, each value with the place where it was written."""

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from stagewise.config.compose import compose
from stagewise.config.inspect.show import annotated_config, print_config, split_stage
from stagewise.config.resolve import STAGES, stage_settings
from stagewise.errors import ConfigError


def shown(root: Path, stage: str | None = None, overrides: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    print_config(annotated_config(root, stage, overrides), Console(file=stream, width=80, highlight=False))
    return stream.getvalue()


def origin(text: str, start: str) -> str:
    line = next(line for line in text.splitlines() if line.strip().startswith(start))
    return line.partition("  # ")[2]


def line_of(file: Path, start: str) -> str:
    lines = file.read_text().splitlines()
    return str(1 + next(number for number, line in enumerate(lines) if line.strip().startswith(start)))


@pytest.mark.parametrize("stage", [None, *STAGES])
def test_the_comments_leave_the_config_as_it_is(project: Path, stage: str | None) -> None:
    settings = compose(project) if stage is None else stage_settings(compose(project), project)[stage]
    assert yaml.safe_load(shown(project, stage)) == settings.model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize("stage", [None, *STAGES])
def test_every_value_has_an_origin_that_exists(project: Path, stage: str | None) -> None:
    for line, note in annotated_config(project, stage):
        file, _, number = note.partition(":")
        if number:
            written = (project / file).read_text().splitlines()[int(number) - 1]
            key = line.strip().removeprefix("- ").partition(":")[0]
            assert key in written or note.startswith("params.yaml") or key == "folds" or "feature" in written, (
                line,
                note,
            )
        else:
            assert note in {"", "default of the schema"}, line


def test_each_kind_of_origin(project: Path) -> None:
    text = shown(project, "train", ("optimizer.weight_decay=0.5",))
    cnn, params = project / "conf" / "model" / "cnn.yaml", project / "params.yaml"
    assert origin(text, "channels: [32, 64]") == f"conf/model/cnn.yaml:{line_of(cnn, 'channels')}"
    assert origin(text, "seed:") == f"params.yaml:{line_of(params, 'seed')}"
    assert origin(text, "lr: 0.005") == f"params.yaml:{line_of(params, 'optimizer')}"
    assert origin(text, "num_nodes:") == "default of the schema"
    assert origin(text, "weight_decay: 0.5") == "command line (optimizer.weight_decay=0.5)"


def test_a_group_chosen_on_the_command_line_shows_its_file(project: Path) -> None:
    mlp = project / "conf" / "model" / "mlp.yaml"
    text = shown(project, "train", ("model=mlp",))
    assert origin(text, "_target_: stagewise.models.mlp.MLP") == f"conf/model/mlp.yaml:{line_of(mlp, '_target_')}"


def test_origins_are_aligned(project: Path) -> None:
    lines = [line for line in shown(project, "package").splitlines() if "  # " in line]
    # Beyond a width, a comment follows its line at once.
    assert len({line.index("  # ") for line in lines if len(line.partition("  # ")[0].rstrip()) <= 40}) == 1


@pytest.mark.parametrize(
    ("arguments", "stage", "overrides"),
    [
        ([], None, []),
        (["train"], "train", []),
        (["train", "model=mlp"], "train", ["model=mlp"]),
        (["model=mlp"], None, ["model=mlp"]),
        (["~trainer.max_epochs"], None, ["~trainer.max_epochs"]),
    ],
)
def test_the_first_word_may_name_a_stage(arguments: list[str], stage: str | None, overrides: list[str]) -> None:
    assert split_stage(arguments) == (stage, overrides)


@pytest.mark.parametrize(("word", "fix"), [("trian", "did you mean train?"), ("xyz", "name one of ingest, preprocess")])
def test_a_wrong_stage_is_one_message(word: str, fix: str) -> None:
    with pytest.raises(ConfigError) as error:
        split_stage([word])
    assert f"there is no stage {word!r}" in str(error.value)
    assert fix in str(error.value)
