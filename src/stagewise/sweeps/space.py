"""The arguments of a sweep: read with Hydra's own grammar, and every value tried before the first trial runs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException

from stagewise.config.compose import compose
from stagewise.errors import ConfigError, SweepError

OWN = ("hydra", "sweep")
"""First words of overrides that are for Hydra, or name a file of conf/sweep/."""


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        hydra: overrides for Hydra itself, and the ready sweep that is chosen.
        project: overrides over params.yaml, swept or not.
        keys: of the latter, dotted.
        total: trials of the grid; None where a sweeper decides.
    """

    hydra: list[str]
    project: list[str]
    keys: list[str]
    total: int | None


def read_space(arguments: Sequence[str]) -> Space:
    """Sort the arguments of the command line.

    Raises:
        SweepError: Hydra cannot read one.
    """
    try:
        overrides = OverridesParser.create().parse_overrides(list(arguments))
    except HydraException as error:
        raise SweepError(
            "Hydra cannot read the arguments",
            why=str(error).splitlines()[0],
            fix="quote what the shell would change: 'seed=range(3)'",
        ) from error
    own = [item for item in overrides if _first(item) in OWN]
    project = [item for item in overrides if _first(item) not in OWN]
    grid = not own and not any(item.is_interval_sweep() for item in project)
    total = math.prod(len(list(_values(item))) for item in project) if grid else None
    return Space([_text(o) for o in own], [_text(o) for o in project], [_key(item) for item in project], total)


def check_space(root: Path, space: Space) -> None:
    """Compose the config of the project at ``root`` with every value of every key, the others at their first.

    Raises:
        ConfigError: one error with the mistakes of the first choice that is wrong.
    """
    overrides = OverridesParser.create().parse_overrides(space.project)
    choices = [
        [f"{_text(item).partition('=')[0]}={value}" for value in _values(item)] or [_text(item)] for item in overrides
    ]
    first = [values[0] for values in choices]
    tried = {tuple(first)} | {
        (*first[:place], value, *first[place + 1 :]) for place, values in enumerate(choices) for value in values[1:]
    }
    for combination in sorted(tried):
        try:
            compose(root, list(combination))
        except ConfigError as error:
            raise ConfigError(
                "a trial of the sweep would be wrong; none was run",
                where=" ".join(combination),
                details=error.details or [str(error)],
                fix="correct the arguments, then run again",
            ) from error


def _values(override: Override) -> Iterator[str]:
    """What a key is tried with: every choice, the ends of an interval, or the one value."""
    if override.is_interval_sweep():
        value = override.value()
        if isinstance(value, IntervalSweep):
            yield from (str(value.start), str(value.end))
    elif override.is_sweep_override():
        yield from map(str, override.sweep_string_iterator())
    else:
        yield override.get_value_element_as_str()


def _first(override: Override) -> str:
    return _key(override).replace("/", ".").partition(".")[0]


def _key(override: Override) -> str:
    return str(override.key_or_group)


def _text(override: Override) -> str:
    return str(override.input_line)
