"""Every kind of data by config alone: a user's own small files through all stages, to a package that answers.

The stages' functions run one after another in this process, with the settings that configure would give them.
"""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from stagewise.compression.compress import compress
from stagewise.compression.shelf import Shelf
from stagewise.config.compose import compose
from stagewise.config.resolve import stage_settings
from stagewise.data.preprocess import preprocess
from stagewise.data.sources.ingest import ingest
from stagewise.evaluation.evaluate import evaluate
from stagewise.packaging.package import package
from stagewise.packaging.predictor import Predictor
from stagewise.training.train import train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_table(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def lay_texts(own: Path) -> None:
    good, bad = ["fine", "lovely", "bright", "warm"], ["awful", "dull", "cold", "grim"]
    rows = []
    for number in range(80):
        words = good if number % 2 else bad
        text = f"the {words[number % 4]} day number {number} was {words[(number // 4) % 4]}, naïve café"
        rows.append([text, "praise" if number % 2 else "blame"])
    write_table(own / "texts.csv", ["text", "label"], rows)


def lay_customers(own: Path, answer: Callable[[float, str], Any], column: str) -> None:
    random = np.random.default_rng(0)
    rows = []
    for number in range(240):
        age, city = float(random.integers(18, 80)), ["Bern", "Rome", "Oslo"][number % 3]
        spent = "" if number % 17 == 0 else round(float(random.normal(50, 20)), 2)
        rows.append([age, city, spent, answer(age, city)])
    write_table(own / "customers" / "customers.csv", ["age", "city", "spent", column], rows)


def lay_sounds(own: Path) -> None:
    time = np.arange(4000) / 8000
    for number in range(36):
        pitch = 300 if number % 2 else 900
        wave = 0.3 * np.sin(2 * math.pi * (pitch + 3 * number) * time)
        path = own / "commands" / ("low" if number % 2 else "high") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, 8000)


def lay_series(own: Path) -> None:
    steps = np.arange(600)
    rows = [[f"2026-01-{1 + t // 24:02d} {t % 24:02d}:00:00", math.sin(t / 4) + t / 300] for t in steps]
    write_table(own / "series.csv", ["time", "load"], rows[:600])


def lay_images(own: Path) -> None:
    for number in range(40):
        path = own / "shapes" / ("dark" if number % 2 else "light") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = (40 if number % 2 else 200) + number
        Image.fromarray(np.full((12, 12), shade, np.uint8)).save(path)


def young(age: float, _: str) -> str:
    return "young" if age < 45 else "old"


def price(age: float, city: str) -> float:
    return 1000 * age + {"Bern": 5000, "Rome": 0, "Oslo": 9000}[city]


NUMBER = "{_target_: stagewise.data.targets.number.NumberTarget, name: price, unit: EUR}"
CASES: dict[str, tuple[Callable[[Path], None], list[str], str]] = {
    "texts": (
        lay_texts,
        ["experiment=sms_spam", "data={use: own_text, source: {path: data/own/texts.csv}}"],
        "a lovely warm day",
    ),
    "a table, to a class": (
        lambda own: lay_customers(own, young, "label"),
        [
            "experiment=adult",
            "data={use: own_columns, source: {path: data/own/customers}}",
            "evaluate.subgroups=[city]",
        ],
        '{"age": 30, "city": "Lima", "spent": null}',
    ),
    "a table, to a number": (
        lambda own: lay_customers(own, price, "price"),
        [
            "experiment=california_housing",
            "data={use: own_columns, source: {path: data/own/customers}, reader: {label: price}, target: "
            + NUMBER
            + "}",
        ],
        '{"age": 30, "city": "Rome", "spent": 12.5}',
    ),
    "sounds": (
        lay_sounds,
        ["experiment=fsdd", "data={use: own_sounds, source: {path: data/own/commands}}"],
        "data/own/commands/low/1.wav",
    ),
    "series": (
        lay_series,
        [
            "experiment=etth1_96",
            "data={use: own_series, source: {path: data/own/series.csv}, feature: {lookback: 48, horizon: 12}}",
            "model=dlinear",
        ],
        "data/own/series.csv",
    ),
    "images": (
        lay_images,
        ["experiment=digits", "data={use: own_folder, source: {path: data/own/shapes}, feature: {size: [8, 8]}}"],
        "data/own/shapes/dark/1.png",
    ),
}
QUICK = [
    "threads=1",
    "trainer.max_epochs=2",
    "trainer.loggers=[]",
    "evaluate.resamples=20",
    "compress.latency.repeats=2",
]


@pytest.mark.parametrize("name", CASES)
def test_own_data_end_in_a_package_that_answers(project: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    lay, choices, question = CASES[name]
    (project / "params.yaml").write_text("name: mine\nversion: 0.1.0\nseed: 0\nthreads: 1\n")
    monkeypatch.chdir(project)
    lay(project / "data" / "own")
    settings: dict[str, Any] = stage_settings(compose(project, [*choices, *QUICK]), project)
    raw, processed, data = make("data/raw"), make("data/processed"), make("reports/data")
    ingest(settings["ingest"], raw, partial=make("partial"))
    schema = preprocess(settings["preprocess"], raw, processed, data)
    assert any(data.glob("*.png"))
    trained, evaluation, work = make("models/trained"), make("reports/evaluation"), make("work")
    train(settings["train"], processed, trained, work)
    metrics = evaluate(settings["evaluate"], processed, trained, evaluation, work)
    assert metrics["rows"] == schema.splits["test"].rows
    assert (evaluation / "predictions.parquet").is_file() and (evaluation / "report.html").is_file()
    compressed, compression, bundle = make("models/compressed"), make("reports/compression"), make("dist/mine-0.1.0")
    shelf = Shelf(project / "shelf", lambda _: "")
    compress(settings["compress"], processed, trained, compressed, compression, shelf=shelf, work=work)
    package(settings["package"], compressed, raw, project / "reports", {}, bundle)
    predictor = Predictor.load(bundle)
    assert predictor.self_test() > 0
    ((_, answer),) = predictor.answer(predictor.read(question))
    assert answer.line()
    assert answer.to_dict()


def make(name: str) -> Path:
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
