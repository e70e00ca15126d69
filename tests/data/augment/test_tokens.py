"""Transforms of tokens: which words change, how often, and that padding never does."""

import pytest
import torch
from torch.nn import functional

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.token_noise import TokenNoise
from stagewise.data.augment.tokens import words
from stagewise.data.augment.word_dropout import WordDropout
from stagewise.data.augment.word_swap import WordSwap

TRANSFORMS = {
    "hide": WordDropout(0.3),
    "hide some rows": WordDropout(0.3, fill="unk", p=0.5),
    "swap": WordSwap(0.4),
    "swap some rows": WordSwap(0.4, p=0.5),
    "noise": TokenNoise(0.3),
    "noise some rows": TokenNoise(0.3, p=0.5),
}
PURE = [name for name in TRANSFORMS if "noise" not in name]
ROWS, LONGEST, VOCABULARY = 200, 15, 1000


def make(rows=ROWS, longest=LONGEST):
    """Rows that begin with [CLS], with lengths from 1 (nothing but it) to the longest; every word differs."""
    generator = torch.Generator().manual_seed(1)
    x = torch.stack([torch.randperm(VOCABULARY - 4, generator=generator)[:longest] + 4 for _ in range(rows)])
    x[:, 0] = 3
    lengths = torch.arange(rows) % longest + 1
    x[torch.arange(longest) >= lengths[:, None]] = 0
    return Batch(x, torch.arange(rows) % 3, classes=3), random.keys(0, 0, torch.arange(rows) * 7)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_special_tokens_stay_where_they_are(name):
    batch, keys = make()
    found = TRANSFORMS[name](batch, keys)
    special = (batch.x == 0) | (batch.x == 3)
    assert torch.equal(found.x[special], batch.x[special])
    assert not (found.x[~special] == 0).any() and not (found.x[~special] == 3).any()
    assert (found.x.shape, found.x.dtype) == (batch.x.shape, torch.int64)
    assert torch.equal(found.y, batch.y)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_input_is_left_alone_and_other_keys_give_other_rows(name):
    batch, keys = make()
    before = batch.x.clone()
    first, again = TRANSFORMS[name](batch, keys).x, TRANSFORMS[name](batch, keys).x
    other = TRANSFORMS[name](batch, random.derive(keys, 0)).x
    assert torch.equal(batch.x, before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other) and not torch.equal(first, before)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_results_do_not_depend_on_the_padding(name):
    batch, keys = make()
    found = TRANSFORMS[name](batch, keys).x
    far = TRANSFORMS[name](batch.with_x(functional.pad(batch.x, (0, 20))), keys).x
    assert torch.equal(far[:, :LONGEST], found)
    assert not far[:, LONGEST:].any()


@pytest.mark.parametrize("name", PURE)
def test_a_row_comes_out_the_same_in_any_batch(name):
    batch, keys = make()
    whole = TRANSFORMS[name](batch, keys).x
    for rows in ([4], [32, 0], list(range(50, 22, -1))):
        length = int((batch.x[rows] != 0).sum(1).max())
        part = TRANSFORMS[name](Batch(batch.x[rows, :length], batch.y[rows], 3), keys[rows]).x
        assert torch.equal(part, whole[rows, :length])


@pytest.mark.parametrize(("fill", "token"), [("mask", 2), ("unk", 1)])
def test_words_are_hidden_at_the_rate_asked_for(fill, token):
    batch, keys = make(rows=3000)
    found = WordDropout(0.25, fill=fill)(batch, keys).x
    changed = found != batch.x
    assert (found[changed] == token).all()
    assert changed[words(batch.x)].double().mean().item() == pytest.approx(0.25, abs=0.015)


def test_unknown_words_are_words():
    batch, keys = make()
    x = batch.x.masked_fill(batch.x > 500, 1)
    found = WordDropout(1.0)(batch.with_x(x), keys).x
    assert (found[(x == 1) | (x > 3)] == 2).all()


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_swaps_exchange_neighbours(share):
    batch, keys = make(rows=3000)
    found = WordSwap(share)(batch, keys).x
    assert torch.equal(found.sort(1).values, batch.x.sort(1).values)
    moved = found != batch.x
    left, right = found[:, :-1] == batch.x[:, 1:], found[:, 1:] == batch.x[:, :-1]
    swapped = moved[:, :-1] & left & right
    # Every word that moved belongs to exactly one such pair.
    belongs = functional.pad(swapped, (0, 1)).int() + functional.pad(swapped, (1, 0)).int()
    assert torch.equal(belongs, moved.int())
    pairs = (words(batch.x)[:, :-1] & words(batch.x)[:, 1:]).sum().item()
    # Each neighbour is a pair in one of two divisions.
    assert swapped.sum().item() / pairs == pytest.approx(share / 2, abs=0.01)


def test_noise_comes_from_other_rows():
    generator = torch.Generator().manual_seed(2)
    x = torch.arange(8)[:, None] * 100 + 4 + torch.randint(0, 90, (8, 300), generator=generator)
    x[3, 20:] = 0
    keys = random.keys(0, 0, torch.arange(8))
    found = TokenNoise(0.5)(Batch(x, torch.zeros(8, dtype=torch.int64), 2), keys).x
    changed = (found != x) & (x != 0)
    assert changed[x != 0].double().mean().item() == pytest.approx(0.5, abs=0.05)
    origin = (found - 4) // 100
    own = torch.arange(8)[:, None].expand_as(x)
    assert (origin[changed] != own[changed]).all()
    # Each of the others gives about as much, however short it is.
    counts = torch.bincount(origin[changed], minlength=8)
    assert counts.min() > 0.7 * counts.double().mean()
    assert torch.isin(found[changed], x).all()


def test_noise_does_not_depend_on_the_order_of_the_batch():
    batch, keys = make()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(3))
    shuffled = TokenNoise(0.3)(Batch(batch.x[order], batch.y[order], 3), keys[order]).x
    assert torch.equal(shuffled, TokenNoise(0.3)(batch, keys).x[order])


def test_a_single_row_has_no_other_to_take_noise_from():
    batch, keys = make(rows=20)
    row = Batch(batch.x[9:10], batch.y[9:10], 3)
    assert torch.equal(TokenNoise(1.0)(row, keys[9:10]).x, row.x)


@pytest.mark.parametrize("transform", [WordDropout, WordSwap, TokenNoise])
def test_p_is_the_share_of_rows_that_change(transform):
    batch, keys = make(rows=4000)
    long = (batch.x != 0).sum(1) > 5

    def share(p):
        changed = (transform(share=0.9, p=p)(batch, keys).x != batch.x).any(1)
        return changed[long].double().mean().item()

    assert share(0.0) == 0
    assert share(1.0) > 0.95
    assert share(0.4) == pytest.approx(0.4 * share(1.0), abs=0.03)


@pytest.mark.parametrize("transform", [WordDropout, WordSwap, TokenNoise])
def test_every_transform_takes_tokens_and_shares(transform):
    assert transform.takes == "tokens"
    for name in ("share", "p"):
        with pytest.raises(ValueError, match=f"{name} must lie between 0 and 1, not 1.5"):
            transform(**{name: 1.5})


def test_unknown_fill_is_told():
    with pytest.raises(ValueError, match="fill must be mask or unk, not 'pad'"):
        WordDropout(fill="pad")
