"""Every random draw of the library is a function of its key: what could be another draw is found and accounted for."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from draws import draws, draws_below

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "initial weights: tasks/build.py seeds torch before every network is built": (
        "models/*.py",
        r"torch\.nn\.init\.\w+|\?\.uniform_",
    ),
    "dropout: tasks/module.py seeds torch before every step": (
        "models/*.py",
        r"torch\.nn\.Dropout|torch\.nn\.functional\.scaled_dot_product_attention",
    ),
    "the seed of the initial weights": ("tasks/build.py", r"torch\.manual_seed"),
    "the seed of a step: a function of (seed, epoch, batch, process)": (
        "tasks/module.py",
        r"torch\.(manual_seed|default_generator)",
    ),
    "which requests go to a canary or a shadow, and the names of requests: no stage serves": (
        "serving/*.py",
        r"random\.random|secrets\.token_hex",
    ),
    "the key of digests in a log of requests: no stage serves": ("drift/log.py", r"secrets\.token_bytes"),
    "the seed of what libraries may draw": ("training/train.py", r"pytorch_lightning\.seed_everything"),
}
"""What is no draw without a key after all: where it may be, and its name."""


def test_every_draw_of_the_library_has_a_key() -> None:
    found = list(draws_below(ROOT / "src" / "stagewise"))
    unkeyed = [f"{file}:{line}: {name}" for file, line, name in found if not reasons(file, name)]
    assert unkeyed == [], "draw from data/augment/random.py, or a generator made from the seed (tests/exact/draws.py)"
    used = {reason for file, _, name in found for reason in reasons(file, name)}
    assert ALLOWED.keys() - used == set()


def test_the_stage_scripts_draw_nothing() -> None:
    assert list(draws_below(ROOT / "stages")) == []


def reasons(file: str, name: str) -> list[str]:
    return [why for why, (where, what) in ALLOWED.items() if fnmatch(file, where) and re.fullmatch(what, name)]


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.shuffle(rows)",
        "from random import choice\nchoice(rows)",
        "import random\nrandom.Random()",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nnp.random.permutation(9)",
        "from numpy import random\nrandom.normal(size=3)",
        "import numpy as np\nnp.random.default_rng()",
        "from numpy.random import PCG64, Generator\nGenerator(PCG64())",
        "import time\nimport numpy as np\nnp.random.default_rng(time.time_ns())",
        "import time, torch\ntorch.Generator().manual_seed(int(time.time()))",
        "import torch\ntorch.rand(3)",
        "import torch\ntorch.randperm(3)",
        "from torch import randn\nrandn(3)",
        "import torch\ntorch.manual_seed(0)",
        "import torch\nfunction = torch.manual_seed",
        "import torch\ntorch.bernoulli(x)",
        "import torch\ntorch.zeros(3).uniform_(0, 1)",
        "from torch import nn\nnn.init.normal_(w)",
        "from torch.nn import functional\nfunctional.dropout(x, 0.1)",
        "from torch import nn\nnn.Dropout(0.1)",
        "import os\nos.urandom(8)",
        "import uuid\nuuid.uuid4()",
        "import secrets\nsecrets.token_hex()",
        "key = hash(name)",
    ],
    ids=lambda source: source.splitlines()[-1],
)
def test_an_unkeyed_draw_is_found(source: str) -> None:
    assert list(draws(source))


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.random.default_rng([seed, epoch]).permutation(9)",
        "import numpy as np\nnp.random.Generator(np.random.PCG64(seed))",
        "import torch\ntorch.rand(3, generator=generator)",
        "import torch\ntorch.zeros(3).uniform_(0, 1, generator=generator)",
        "from stagewise.data.augment import random\nrandom.uniform(keys, 1)",
        "from torch import nn\nnn.init.zeros_(w)",
        "import time\ntime.time()",
        "import uuid\nuuid.uuid5(space, name)",
    ],
    ids=lambda source: source.splitlines()[-1],
)
def test_a_keyed_draw_is_none(source: str) -> None:
    assert not list(draws(source))
