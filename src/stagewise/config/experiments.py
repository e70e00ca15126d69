"""conf/experiment/: sections that fit together, written like params.yaml and laid under it.

A section of params.yaml that is empty is as the experiment says. A word, or a mapping with another ``use``, takes the
section's place; a mapping without ``use`` lays its values over the experiment's.
"""

from pathlib import Path

from stagewise.config.checks.files import check_file, choices_of
from stagewise.config.checks.mistakes import Mistake, nearest
from stagewise.config.origins import EXPERIMENT, experiment_file
from stagewise.config.params import Params, read_params_file


def lay_over_experiment(root: Path, params: Params, groups: set[str]) -> tuple[Params, list[Mistake]]:
    """Return params with what their experiment says where they say nothing, and what is wrong with the choice.

    Without an experiment only the empty sections leave.
    """
    own = {name: value for name, value in params.items() if name != EXPERIMENT}
    said = {name: value for name, value in own.items() if name not in groups or value is not None}
    name = params.get(EXPERIMENT)
    if name is None:
        return said, []
    names = choices_of(root, EXPERIMENT)
    if name not in names:
        why = f"there is no {experiment_file(str(name))}"
        return said, [Mistake((EXPERIMENT,), why, nearest(str(name), names))]
    mistakes = check_file(root, experiment_file(name))
    if mistakes:
        return said, mistakes
    below = read_params_file(root, experiment_file(name))
    if EXPERIMENT in below:
        why = "an experiment cannot build on another"
        return said, [Mistake((EXPERIMENT,), why, "", str(experiment_file(name)))]
    return {**below, **{key: _lay_over(below.get(key), value, key in groups) for key, value in said.items()}}, []


def _lay_over(below: object, value: object, is_group: bool) -> object:
    """Return a section of params.yaml with what it leaves to the experiment."""
    if not is_group or not isinstance(value, dict) or below is None:
        return value
    beneath = below if isinstance(below, dict) else {"use": below}
    if value.get("use", beneath.get("use")) != beneath.get("use"):
        return value
    return _merge(beneath, value)


def _merge(below: object, value: object) -> object:
    if not isinstance(below, dict) or not isinstance(value, dict):
        return value
    return {**below, **{key: _merge(below.get(key), child) for key, child in value.items()}}
