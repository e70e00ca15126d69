"""Groups of nearly equal texts, against every pair compared exactly."""

import hashlib
import random
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from odd_texts import odd_texts, plain_texts

from stagewise.data.near_duplicates import bands, near_groups
from stagewise.data.readers.text_lines import TextTableReader


def runs(text: str) -> set[str]:
    plain = re.sub(r"[\W_]+", " ", text.lower()).strip() or text
    return {plain[place : place + 5] for place in range(max(1, len(plain) - 4))}


def exact_groups(texts: list[str], threshold: float) -> list[int]:
    """Connected parts of the graph of all pairs that share enough."""
    sets = [runs(text) for text in texts]
    group = list(range(len(texts)))
    for one, other in combinations(range(len(texts)), 2):
        shared = len(sets[one] & sets[other])
        if shared >= threshold * (len(sets[one]) + len(sets[other]) - shared):
            low, high = sorted((group[one], group[other]))
            group = [low if number == high else number for number in group]
    return group


def same_parts(one: list[int], other: list[int]) -> bool:
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_groups_are_those_of_all_pairs(threshold: float) -> None:
    draw = random.Random(1)
    texts = plain_texts(60, seed=4)
    for text in texts[:40]:
        words = text.split()
        for _ in range(draw.randint(0, 4)):  # copies with some words changed, in capitals, with other signs
            changed = [draw.choice(["new", "word", word, word, word, word, word, word]) for word in words]
            texts.append("  ".join(changed).upper() + draw.choice([" !!", "", "?"]))
    draw.shuffle(texts)
    assert same_parts(near_groups(texts, threshold).tolist(), exact_groups(texts, threshold))


def test_what_does_not_count() -> None:
    texts = [
        "Call 0871 NOW!!",
        "call  0871, now",
        "call 0872 now",
        ":-)",
        ":-(",
        ":-)",
        "ok",
        "OK...",
        "o",
        "的",
        "的。",
    ]
    groups = near_groups(texts, 0.9).tolist()
    assert same_parts(groups, [0, 0, 1, 2, 3, 2, 4, 4, 5, 6, 6])


def test_chains_are_one_group() -> None:
    words = [f"word{number}" for number in range(30)]
    chain = [" ".join(words[start : start + 20]) for start in range(8)]
    assert set(near_groups(chain, 0.8).tolist()) == {0}
    assert len(set(near_groups([chain[0], chain[-1]], 0.8).tolist())) == 2


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_bands_find_a_pair_at_the_threshold(threshold: float) -> None:
    count, width = bands(threshold)
    assert count > 1 and count * width <= 128
    assert 1 - (1 - threshold**width) ** count >= 0.99
    wider = 128 // (width + 1)
    assert width == 64 or 1 - (1 - threshold ** (width + 1)) ** wider < 0.99


def test_no_texts() -> None:
    assert near_groups([], 0.8).tolist() == []


def test_another_process_finds_the_same(tmp_path: Path) -> None:
    texts = [*plain_texts(100), *odd_texts(100)[9:], *plain_texts(50)]
    here = hashlib.sha256(near_groups(texts, 0.7).tobytes()).hexdigest()
    code = (
        "import hashlib; from odd_texts import *; from stagewise.data.near_duplicates import near_groups\n"
        "texts = [*plain_texts(100), *odd_texts(100)[9:], *plain_texts(50)]\n"
        "print(hashlib.sha256(near_groups(texts, 0.7).tobytes()).hexdigest())"
    )
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[1]), "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == here, done.stderr


def test_advertisements_with_another_number(mirror: Path) -> None:
    reader = TextTableReader(
        "SMSSpamCollection", text=2, label=1, header=False, delimiter="\t", quote=None, root=mirror / "sms_spam"
    )
    samples = list(reader)
    assert len(samples) == 5574 and all(sample.error is None for sample in samples)
    assert sum(sample.label == "spam" for sample in samples) == 747
    texts = [str(sample.value) for sample in samples]
    assert len(texts) - len(set(texts)) == 403  # equal texts, as the mirror's manifest counts them
    groups = near_groups(texts, 0.7)
    sizes = np.unique(groups, return_counts=True)[1]
    assert 950 < sizes[sizes > 1].sum() < 990
    spam = [number for number, sample in enumerate(samples) if sample.label == "spam"]
    assert len(spam) - len(set(groups[spam])) > 240  # a third of the spam is a copy of other spam
