"""The configs of forecasting: each is composed with its experiment, and prepares what it says."""

from pathlib import Path

import pytest
import yaml
from series_data import settings

from stagewise.config.compose import compose
from stagewise.config.schema.data import DataSection, IngestSettings
from stagewise.config.targets import build
from stagewise.data.features.series_entry import SeriesEntry
from stagewise.data.sources.ingest import ingest

CONF = Path(__file__).parents[2] / "conf"
PUBLISHED = {  # MSE and MAE of DLinear, PatchTST/42 and PatchTST/64
    "etth1_96": [(0.375, 0.399), (0.375, 0.399), (0.370, 0.400)],
    "etth1_336": [(0.439, 0.443), (0.431, 0.436), (0.422, 0.440)],
    "etth2_96": [(0.289, 0.353), (0.274, 0.336), (0.274, 0.337)],
}
NETWORKS = {"": "DLinear", "_patchtst": "PatchTST", "_lstm": "SeriesLSTM"}
EXPERIMENTS = [
    *(f"etth1_{horizon}{suffix}" for horizon in (96, 336) for suffix in NETWORKS),
    "etth2_96",
    "air_passengers",
]


def section(name):
    return DataSection.model_validate(yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text(encoding="utf-8")))


def run(data, root, folder):
    """Prepare what lies in ``root`` as the config says."""
    folder.mkdir()
    values = data.model_dump(by_alias=True, include={"name", "reader", "feature", "split", "checks"})
    return build(data.preparation)(
        settings(**values), build(data.reader, root=root), build(data.feature), folder, folder
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes(name, project):
    (project / "params.yaml").write_text(f"name: x\nversion: 0.1.0\nseed: 0\nthreads: 1\nexperiment: {name}\n")
    found = compose(project)
    series, _, rest = name.partition("_")
    horizon = 12 if series == "air" else int(rest.split("_")[0])
    assert found.task.module.target.endswith(".ForecastingModule") and not found.augment.transforms
    assert found.data.name == ("air_passengers" if series == "air" else series)
    assert found.data.feature.arguments["horizon"] == horizon
    network = NETWORKS.get(name.removeprefix(f"{series}_{horizon}"), "DLinear")
    assert found.model.target.endswith(f".{network}")
    published = found.task.evaluation.arguments["published"]
    expected = PUBLISHED.get(f"{series}_{horizon}")
    assert (published and [(one["mse"], one["mae"]) for one in published.values()]) == expected


@pytest.mark.parametrize("name", ["etth1", "etth2", "air_passengers"])
def test_published_data_is_prepared(name, mirror, tmp_path):
    data = section(name)
    raw = tmp_path / "raw"
    raw.mkdir()
    source = IngestSettings(name=data.name, source=data.source)
    ingest(source, raw, mirror=mirror, partial=tmp_path / "partial")
    schema = run(data, raw, tmp_path / "out")
    entry = schema.feature.narrow(SeriesEntry)
    assert [schema.splits[split].rows for split in ("train", "validation", "test")] == (
        [61, 13, 13] if name == "air_passengers" else [8209, 2785, 2785]
    )
    assert entry.season == (12 if name == "air_passengers" else 24)
    assert entry.units[-1] == ("thousand passengers" if name == "air_passengers" else "°C")


def test_the_template_takes_a_table_as_it_stands(tmp_path):
    rows = [f"2024-01-{1 + hour // 24:02} {hour % 24:02}:00,{hour % 24},{hour / 7:.3f}" for hour in range(24 * 25)]
    (tmp_path / "readings.csv").write_text("time,temperature,pressure\n" + "\n".join(rows) + "\n")
    schema = run(section("own_series"), tmp_path, tmp_path / "out")
    entry = schema.feature.narrow(SeriesEntry)
    assert (entry.variables, entry.step, entry.season) == (["temperature", "pressure"], "1h", 24)
    assert schema.splits["test"].rows == 120 - 23
