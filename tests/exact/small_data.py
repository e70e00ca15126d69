"""A few rows of every kind of data, written as a user's own files, with the choices that read them."""

import csv
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

ENCODER = "data/own/encoder"
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "day",
    "was",
    "naïve",
    "ışık",
    "fine",
    "lovely",
    "dull",
    "grim",
]
GOOD, BAD = ["fine", "lovely", "bright", "warm"], ["awful", "dull", "cold", "grim"]


def lay_images(own: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(60):
        path = own / "shapes" / ("dark" if number % 2 else "light") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = 20 if number % 2 else 160
        Image.fromarray(random.integers(shade, shade + 90, (8, 8), np.uint8)).save(path)


def lay_texts(own: Path) -> None:
    rows = []
    for number in range(80):
        words = BAD if number % 2 else GOOD
        text = f"the {words[number % 4]} DAY number {number} was {words[number // 4 % 4]}, naïve İzmir ışık"
        rows.append([text, "blame" if number % 2 else "praise"])
    _write_table(own / "texts.csv", ["text", "label"], rows)


def lay_people(own: Path) -> None:
    random = np.random.default_rng(0)
    rows: list[list[Any]] = []
    for number in range(160):
        age, city = float(random.integers(18, 80)), ["Bern", "Zürich", "İzmir"][number % 3]
        spent = "" if number % 17 == 0 else round(float(random.normal(50, 20)), 2)
        rows.append([age, city, spent, "young" if age < 45 else "old", round(age * 1000 + number % 7, 2)])
    _write_table(own / "classes" / "people.csv", ["age", "city", "spent", "label"], [row[:4] for row in rows])
    _write_table(own / "prices" / "people.csv", ["age", "city", "spent", "price"], [[*row[:3], row[4]] for row in rows])


def lay_sounds(own: Path) -> None:
    random, time = np.random.default_rng(0), np.arange(3000) / 8000
    for number in range(36):
        wave = 0.3 * np.sin(2 * math.pi * ((300 if number % 2 else 900) + 3 * number) * time)
        path = own / "commands" / ("low" if number % 2 else "high") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave + random.normal(0, 0.02, len(time)), 8000)


def lay_series(own: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        [f"2026-01-{1 + t // 24:02d} {t % 24:02d}:00:00", math.sin(t / 4) + t / 300 + random.normal(0, 0.1)]
        for t in range(500)
    ]
    _write_table(own / "series.csv", ["time", "load"], rows)


def lay_encoder(own: Path) -> None:
    """A BERT of two layers with random weights and its tokeniser; needs transformers."""
    with warnings.catch_warnings():  # their libraries warn about each other's ways
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
        from transformers.utils import logging

        logging.disable_progress_bar()
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
        config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=24, pad_token_id=0, **sizes)
        BertModel(config).save_pretrained(own / "encoder")
        tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
        names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "mask", "cls", "sep")}
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(own / "encoder")


LAY: list[Callable[[Path], None]] = [lay_images, lay_texts, lay_people, lay_sounds, lay_series]
"""Each writes its files below data/own/."""

TABLE = "data={use: own_columns, source: {path: data/own/%s}%s}"
NUMBER = "{_target_: stagewise.data.targets.number.NumberTarget, name: price, unit: EUR}"
IMAGES = "data={use: own_folder, source: {path: data/own/shapes}, feature: {size: [8, 8], channels: 1}}"
SOUNDS = (
    "data={use: own_sounds, source: {path: data/own/commands}, feature: {rate: 8000, seconds: 0.4}, "
    "split: {validation: 0.2}}"
)
SERIES = "data={use: own_series, source: {path: data/own/series.csv}, feature: {lookback: 48, horizon: 12}}"
TOKENIZER = f"{{_target_: stagewise.data.features.pretrained.PretrainedTokenizer, source: {ENCODER}}}"
CHOICES: dict[str, list[str]] = {
    "image": ["experiment=digits", IMAGES],
    "tokens": ["experiment=sms_spam", "data={use: own_text, source: {path: data/own/texts.csv}}"],
    "table": ["experiment=adult", TABLE % ("classes", ""), "evaluate.subgroups=[city]"],
    "sound": ["experiment=fsdd", SOUNDS],
    "series": ["experiment=etth1_96", SERIES],
    "encoder": [
        "experiment=sms_spam",
        "data={use: own_text, source: {path: data/own/texts.csv}, feature: {max_length: 20, tokenizer: "
        + TOKENIZER
        + "}}",
    ],
    "price": ["experiment=california_housing", TABLE % ("prices", ", reader: {label: price}, target: " + NUMBER)],
}
"""Overrides that read these files, by kind of data, on an experiment of that kind."""


def _write_table(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
