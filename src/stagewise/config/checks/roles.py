"""What each ``_target_`` section is for: where its classes lie, and which arguments the pipeline itself gives."""

from dataclasses import dataclass

from stagewise.config.origins import Key


@dataclass(frozen=True)
class Role:
    """The part that a target plays.

    Attributes:
        what: the part in a word, for messages.
        prefix: where the project's (or library's) targets of this part lie; a project's own may lie anywhere.
        further: other places where they may lie.
        given: arguments that the pipeline passes when it builds the target, which therefore must take them and for
            which a config has no say.
        deep: whether its targets lie in packages below ``prefix``.
        suffix: how the names of its classes end; elsewhere they are told from their helpers by their arguments.
    """

    what: str
    prefix: str
    given: tuple[str, ...] = ()
    deep: bool = False
    suffix: str = ""
    further: tuple[str, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All places."""
        return (self.prefix, *self.further)


_NETWORK = Role("network", "stagewise.models.", ("input_shape", "outputs"))
_STEP = Role("candidate", "stagewise.compression.candidates.", further=("stagewise.compression.networks.",))


ROLES: dict[tuple[str, ...], Role] = {
    ("data", "reader"): Role("reader", "stagewise.data.readers.", ("root",)),
    ("data", "feature"): Role("feature", "stagewise.data.features.", suffix="Feature"),
    ("data", "preparation"): Role("preparation", "stagewise.data.", deep=True, suffix="Preparation"),
    ("data", "target"): Role("target", "stagewise.data.targets."),
    ("augment", "transforms", "*"): Role("transform", "stagewise.data.augment."),
    ("model",): _NETWORK,
    ("task", "inference"): Role("inference module", "stagewise.tasks.", ("network", "inputs", "schema"), deep=True),
    ("task", "module"): Role(
        "training module",
        "stagewise.tasks.",
        (
            "inference", "augmentation", "optimizer", "scheduler", "seed", "steps_per_epoch", "max_epochs",
            "schema", "channels_last",
        ),
        deep=True,
    ),
    ("task", "evaluation"): Role(
        "evaluation", "stagewise.tasks.", ("schema", "settings", "seed", "display"), deep=True
    ),
    ("task", "quality"): Role("quality", "stagewise.tasks.", ("schema",), deep=True, suffix="Quality"),
    ("optimizer",): Role("optimizer", "torch.optim.", ("params",)),
    ("scheduler",): Role(
        "schedule", "stagewise.training.schedules.", ("optimizer", "total_steps", "steps_per_epoch")
    ),
    ("compress", "candidates", "*"): _STEP,
    ("compress", "candidates", "*", "#"): _STEP,
    ("compress", "candidates", "*", "model"): _NETWORK,
    ("compress", "candidates", "*", "#", "model"): _NETWORK,
}  # fmt: skip
"""By config key; ``*`` stands for any name or number, ``#`` for a number."""


def role_of(key: Key) -> Role | None:
    """Return the role of the target at ``key``; None for one nested in the arguments of another."""
    for pattern, role in ROLES.items():
        if len(pattern) == len(key) and all(map(_stands_for, pattern, key)):
            return role
    return None


def _stands_for(pattern: str, part: str | int) -> bool:
    return pattern in ("*", str(part)) or (pattern == "#" and isinstance(part, int))
