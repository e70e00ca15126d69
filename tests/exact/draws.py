"""Finds, in source code, draws whose numbers are not a function of a key: global generators, entropy, clocks."""

import ast
from collections.abc import Iterator
from pathlib import Path

FILLING = {"uniform_", "normal_", "random_", "bernoulli_", "exponential_", "geometric_", "cauchy_", "log_normal_"}
"""Methods of tensors that draw."""
TORCH = {
    "bernoulli", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "binomial", "seed", "set_rng_state",
}  # fmt: skip
LAYERS = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "RReLU"}
FUNCTIONS = {
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "rrelu",
    "gumbel_softmax", "scaled_dot_product_attention", "multi_head_attention_forward",
}  # fmt: skip
STILL = {"calculate_gain", "constant_", "dirac_", "eye_", "ones_", "zeros_"}
"""Functions of torch.nn.init that do not draw."""
KEYED = {"default_rng", "SeedSequence", "PCG64", "Philox", "MT19937", "SFC64", "RandomState"}
"""Of numpy.random: a function of what they are given, and of the machine's entropy when given nothing."""
SEEDED = KEYED | {"manual_seed", "Random"}
NAMED = {"uuid.UUID", "uuid.uuid3", "uuid.uuid5"}
"""Functions of a name."""
SEEDS = {"torch.manual_seed", "torch.default_generator"}
CLOCKS = {
    "time.time", "time.time_ns", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "time.monotonic_ns", "time.perf_counter_ns",
}  # fmt: skip


def draws(source: str | bytes) -> Iterator[tuple[int, str]]:
    """Yield line and name of every draw that its generator's state, the machine or the clock decides."""
    tree = ast.parse(source)
    names = _imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _dotted(node.func, names)
            if _is_draw(name, node) or (name.rpartition(".")[2] in SEEDED and _reads_clock(node, names)):
                yield node.lineno, name
        elif isinstance(node, ast.Attribute | ast.Name) and _dotted(node, names) in SEEDS:
            yield node.lineno, _dotted(node, names)


def draws_below(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Yield file, line and name of every such draw below a folder."""
    for file in sorted(folder.rglob("*.py")):
        for line, name in draws(file.read_bytes()):
            yield file.relative_to(folder).as_posix(), line, name


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, with all its dots."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                names[item.asname or item.name.partition(".")[0]] = (
                    item.name if item.asname else item.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update({item.asname or item.name: f"{node.module}.{item.name}" for item in node.names})
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of a function, or ``?.method`` where it is called on a value."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        known = owner.partition(".")[0] in {name.partition(".")[0] for name in names.values()}
        return f"{owner}.{node.attr}" if known else f"?.{node.attr}"
    return "?"


def _reads_clock(call: ast.Call, names: dict[str, str]) -> bool:
    """Whether what a generator is seeded with holds a reading of a clock."""
    inner = (node for item in (*call.args, *call.keywords) for node in ast.walk(item))
    return any(isinstance(node, ast.Call) and _dotted(node.func, names) in CLOCKS for node in inner)


def _is_draw(name: str, call: ast.Call) -> bool:
    owner, _, last = name.rpartition(".")
    given = {item.arg for item in call.keywords}
    if "generator" in given:
        return False
    if owner == "numpy.random":
        return last != "Generator" and not (last in KEYED and (call.args or call.keywords))
    if owner in ("torch", "torch.cuda", "torch.random"):
        return last in TORCH
    if owner == "torch.nn.init":
        return last not in STILL
    if owner == "torch.nn":
        return last in LAYERS
    if owner == "torch.nn.functional":
        return last in FUNCTIONS
    if name in NAMED:
        return False
    whole = name.partition(".")[0] in ("random", "uuid", "secrets") and "." in name
    return whole or last in FILLING or last == "seed_everything" or name in {"os.urandom", "hash"}
