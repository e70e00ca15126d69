"""What each ``_target_`` section is for: where its classes lie, and which arguments the pipeline itself gives."""

from dataclasses import dataclass

from stagewise.config.origins import Key


@dataclass(frozen=True)
class Role:
    """The part that a target plays.

    Attributes:
        what: the part in a word, for messages.
        prefix: where the project's (or library's) targets of this part lie; a project's own may lie anywhere.
        given: arguments that the pipeline passes when it builds the target, which therefore must take them and for
            which a config has no say.
    """

    what: str
    prefix: str
    given: tuple[str, ...] = ()


ROLES: dict[tuple[str, ...], Role] = {
    ("data", "reader"): Role("reader", "stagewise.data.readers.", ("root",)),
    ("data", "feature"): Role("feature", "stagewise.data.features."),
    ("augment", "transforms", "*"): Role("transform", "stagewise.data.augment."),
    ("model",): Role("network", "stagewise.models.", ("input_shape", "outputs")),
    ("task", "inference"): Role("inference module", "stagewise.tasks.", ("network", "schema")),
    ("task", "module"): Role(
        "training module",
        "stagewise.tasks.",
        (
            "inference", "augmentation", "optimizer", "scheduler", "seed", "steps_per_epoch", "max_epochs",
            "class_counts", "channels_last",
        ),
    ),
    ("task", "evaluation"): Role("evaluation", "stagewise.evaluation.", ("schema", "settings", "seed")),
    ("optimizer",): Role("optimizer", "torch.optim.", ("params",)),
    ("scheduler",): Role(
        "schedule", "stagewise.training.schedules.", ("optimizer", "total_steps", "steps_per_epoch")
    ),
    ("compress", "candidates", "*"): Role("candidate", "stagewise.compression.candidates."),
}  # fmt: skip
"""By config key; ``*`` stands for any name or number."""


def role_of(key: Key) -> Role | None:
    """Return the role of the target at ``key``; None for one nested in the arguments of another."""
    for pattern, role in ROLES.items():
        if len(pattern) == len(key) and all(p in ("*", str(part)) for p, part in zip(pattern, key, strict=True)):
            return role
    return None
