"""What a sweep searches: read with Hydra's own grammar, and every value tried before the first trial runs."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException

from stagewise.config.compose import compose
from stagewise.config.schema.project import Project
from stagewise.config.schema.sweep import Values
from stagewise.errors import ConfigError, SweepError
from stagewise.sweeps.ready import key_of, sections_first, sweep_text

SEED = "seed"
"""The key over which points are repeated, not searched."""


@dataclass(frozen=True)
class Dimension:
    """One key that is searched, or set.

    Attributes:
        override: as Hydra reads it.
        when: the key and the value of another dimension under which this one counts; None: always.
    """

    override: Override
    when: tuple[str, Any] | None = None

    @property
    def name(self) -> str:
        """The key as it is written, with its sign: ``+optimizer.momentum``."""
        return str(self.override.input_line).partition("=")[0]

    @property
    def key(self) -> str:
        """The key, dotted."""
        return key_of(self.name)

    @property
    def is_interval(self) -> bool:
        """Whether it has endless values, so that no grid can be laid over it."""
        return self.override.is_interval_sweep()

    @property
    def values(self) -> list[str]:
        """What it is tried with: every choice, the ends of an interval, or the one value."""
        if self.is_interval:
            value = self.override.value()
            return [str(value.start), str(value.end)] if isinstance(value, IntervalSweep) else []
        if self.override.is_sweep_override():
            return [str(text) for text in self.override.sweep_string_iterator()]
        return [] if self.override.is_delete() else [self.override.get_value_element_as_str()]

    def applies(self, chosen: Mapping[str, str]) -> bool:
        """Whether it counts beside the values ``chosen`` so far, by key."""
        if self.when is None:
            return True
        key, value = self.when
        return key in chosen and parse([f"{key}={chosen[key]}"])[0].value() == value

    def chosen(self, value: str) -> str:
        """The override that sets it to a value."""
        return f"{self.name}={value}"


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        hydra: overrides for Hydra itself.
        dimensions: keys of params.yaml, swept or not, in an order in which conditions come before what hangs on them.
    """

    hydra: list[str]
    dimensions: list[Dimension]

    @property
    def plain(self) -> list[str]:
        """The dimensions without a condition, as on a command line."""
        return [str(item.override.input_line) for item in self.dimensions if item.when is None]

    @property
    def total(self) -> int | None:
        """Trials of the grid; None where a sweeper decides."""
        sweeper = any(key_of(text).startswith(("hydra/sweeper", "hydra.sweeper")) for text in self.hydra)
        return None if sweeper or any(item.is_interval for item in self.dimensions) else len(list(grid(self)))


def read_space(arguments: Sequence[str], when: Mapping[str, Mapping[str, Values]] | None = None) -> Space:
    """Sort the arguments of the command line.

    Args:
        arguments: overrides of Hydra's and of the project's.
        when: further keys, by the condition ``key=value`` under which they count; see ``ReadySweep``.

    Raises:
        SweepError: Hydra cannot read one, or a condition names a key that is not searched.
    """
    hydra = [text for text in arguments if key_of(text).replace("/", ".").partition(".")[0] == "hydra"]
    own = sections_first(text for text in arguments if text not in hydra)
    dimensions = [Dimension(item) for item in parse(own)]
    for condition, found in (when or {}).items():
        (override,) = parse([condition])
        key = key_of(condition)
        if key not in {item.key for item in dimensions}:
            raise SweepError(
                f"the condition {condition} is about a key that is not searched",
                where=f"when: {condition}",
                why="searched before it: " + ", ".join(item.key for item in dimensions),
                fix=f"name {key} under params",
            )
        texts = [f"{name}={sweep_text(values)}" for name, values in found.items()]
        dimensions += [Dimension(item, (key, override.value())) for item in parse(texts)]
    return Space(hydra, dimensions)


def parse(overrides: Sequence[str]) -> list[Override]:
    """Read overrides with Hydra's grammar.

    Raises:
        SweepError: it cannot read one.
    """
    try:
        return list(OverridesParser.create().parse_overrides(list(overrides)))
    except HydraException as error:
        raise SweepError(
            "Hydra cannot read the arguments",
            why=str(error).splitlines()[0],
            fix="quote what the shell would change: 'seed=range(3)'",
        ) from error


def grid(space: Space) -> Iterator[list[str]]:
    """Every combination of values, the first dimension slowest; one whose condition is not met is left out."""
    combinations: Iterator[list[tuple[Dimension, str]]] = iter([[]])
    for item in space.dimensions:
        combinations = _widened(combinations, item)
    for combination in combinations:
        yield [item.chosen(value) for item, value in combination] + _deletions(space)


def check_space(root: Path, space: Space) -> Project:
    """Compose the config of the project at ``root`` with every value of every key, the others at their first.

    Returns:
        The config with the first value of each key.

    Raises:
        ConfigError: one error with the mistakes of the first choice that is wrong.
    """
    first = {item.key: item.values[0] for item in reversed(space.dimensions) if item.values and item.when is None}
    tried = [first]
    for item in space.dimensions:
        chosen = first if item.when is None else {**first, item.when[0]: _value_text(space, item.when)}
        tried += [{**chosen, item.key: value} for value in item.values]
    names = {item.key: item.name for item in space.dimensions}
    composed = []
    for combination in dict.fromkeys(tuple(sorted(choice.items())) for choice in tried):
        overrides = [f"{names[key]}={value}" for key, value in combination] + _deletions(space)
        try:
            composed.append(compose(root, overrides))
        except ConfigError as error:
            raise ConfigError(
                "a trial of the sweep would be wrong; none was run",
                where=" ".join(overrides),
                details=error.details or [str(error)],
                fix="correct the arguments, then run again",
            ) from error
    return composed[0]


def repetitions(space: Space) -> tuple[Space, list[str]]:
    """Split off the seeds, over which each point is repeated; one empty text where there are none."""
    seeds = [item for item in space.dimensions if item.key == SEED]
    others = [item for item in space.dimensions if item.key != SEED]
    return Space(space.hydra, others), [item.chosen(value) for item in seeds for value in item.values] or [""]


def _widened(
    combinations: Iterator[list[tuple[Dimension, str]]], item: Dimension
) -> Iterator[list[tuple[Dimension, str]]]:
    for combination in combinations:
        if item.values and item.applies({other.key: value for other, value in combination}):
            yield from ([*combination, (item, value)] for value in item.values)
        else:
            yield combination


def _deletions(space: Space) -> list[str]:
    return [str(item.override.input_line) for item in space.dimensions if item.override.is_delete()]


def _value_text(space: Space, when: tuple[str, Any]) -> str:
    """The value of a condition as the dimension that it is about has it.

    Raises:
        SweepError: that dimension never takes it.
    """
    key, wanted = when
    about = list(itertools.chain.from_iterable(item.values for item in space.dimensions if item.key == key))
    for text in about:
        if parse([f"{key}={text}"])[0].value() == wanted:
            return text
    raise SweepError(
        f"the condition {key}={wanted} is never met",
        where=f"when: {key}={wanted}",
        why=f"{key} is searched over {', '.join(about)}",
        fix=f"add the value to params.{key}, or drop the condition",
    )
