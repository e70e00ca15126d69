"""Values that are right in themselves but not together: one small function per contradiction.

A function names the sections it compares as its arguments, and is called when all of them are right in themselves.
"""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stagewise.config.checks.contradictions_compress import COMPRESS_CHECKS
from stagewise.config.checks.contradictions_data import DATA_CHECKS, published_splits
from stagewise.config.checks.features import PARTS, feature_parts
from stagewise.config.checks.mistakes import Mistake, nearest
from stagewise.config.checks.sources import class_constant
from stagewise.config.schema.base import Target
from stagewise.config.schema.data import AugmentSection, DataSection
from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.config.schema.train import TaskSection, TrainerSection


def find_contradictions(sections: dict[str, BaseModel], root: Path) -> Iterator[Mistake]:
    """Yield every contradiction within and between ``sections`` of the project at ``root``."""
    known: dict[str, Any] = {**sections, "root": root}
    for check in CHECKS:
        names = inspect.signature(check).parameters
        if names.keys() <= known.keys():
            yield from check(**{name: known[name] for name in names})


def check_monitor(trainer: TrainerSection, task: TaskSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """The monitored metric is computed, improves in the direction said, and has rows to be computed on."""
    yield from _monitor(("trainer",), trainer.monitor, trainer.mode, task, data, root)


def check_plateau(scheduler: Target, task: TaskSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """The same for the metric of a schedule."""
    arguments = scheduler.arguments
    if "monitor" in arguments:
        yield from _monitor(("scheduler",), arguments["monitor"], arguments.get("mode", "min"), task, data, root)


def check_patience(scheduler: Target, trainer: TrainerSection) -> Iterator[Mistake]:
    """Early stopping waits longer than a plateau schedule, or its rate never drops."""
    patience = scheduler.arguments.get("patience")
    if trainer.early_stopping and isinstance(patience, int) and trainer.early_stopping.patience <= patience:
        why = f"{trainer.early_stopping.patience} is not more than scheduler.patience ({patience}): training would stop"
        yield Mistake(("trainer", "early_stopping", "patience"), f"{why} before the rate drops")


def check_warmup(scheduler: Target, trainer: TrainerSection) -> Iterator[Mistake]:
    """A warm-up ends before training does."""
    warmup = scheduler.arguments.get("warmup_epochs", 0)
    if isinstance(warmup, (int, float)) and warmup >= trainer.max_epochs:
        why = f"a warm-up of {warmup} epochs leaves none of trainer.max_epochs ({trainer.max_epochs})"
        yield Mistake(("scheduler", "warmup_epochs"), why)


def check_devices(trainer: TrainerSection) -> Iterator[Mistake]:
    """Every process takes an equal share of each batch, on a device of its own."""
    devices = trainer.devices
    if isinstance(devices, list) and len(set(devices)) < len(devices):
        yield Mistake(("trainer", "devices"), f"{devices} names a device twice")
    count = len(devices) if isinstance(devices, list) else devices if isinstance(devices, int) else 1
    processes = count * trainer.num_nodes
    if processes and trainer.batch_size % processes:
        why = f"{trainer.batch_size} rows cannot be shared equally by {processes} processes (devices * num_nodes)"
        yield Mistake(("trainer", "batch_size"), f"{why}; choose a multiple of {processes}")
    if trainer.accelerator == "cpu" and trainer.precision == "16-mixed":
        yield Mistake(("trainer", "precision"), "16-mixed needs a GPU, but trainer.accelerator is cpu; use bf16-mixed")


def check_weights_file(trainer: TrainerSection) -> Iterator[Mistake]:
    """Weights come from a local .safetensors file: other formats can run code when they are loaded."""
    path = trainer.init_from
    if path is not None and ("://" in path or not path.endswith(".safetensors")):
        yield Mistake(("trainer", "init_from"), f"{path!r} is no local .safetensors file")


def check_offline(augment: AugmentSection) -> Iterator[Mistake]:
    """Copies that are written need transforms, and transforms that leave the label alone."""
    if not augment.offline_copies:
        return
    if not augment.transforms:
        yield Mistake(("augment", "offline_copies"), "there are no transforms to make copies with")
    for number, transform in enumerate(augment.transforms):
        if transform.target.endswith((".Mixup", ".CutMix")):
            why = "mixes labels, which cannot be written: set augment.offline_copies to 0"
            yield Mistake(("augment", "transforms", number), f"{transform.target.rpartition('.')[2]} {why}")


def check_ranges(augment: AugmentSection) -> Iterator[Mistake]:
    """What is drawn between ``low`` and ``high`` has them in that order."""
    for number, transform in enumerate(augment.transforms):
        low, high = (transform.arguments.get(name) for name in ("low", "high"))
        if low is not None and high is not None and low > high:
            yield Mistake(("augment", "transforms", number, "low"), f"{low} is more than high ({high})")


def check_feature(data: DataSection, root: Path) -> Iterator[Mistake]:
    """A feature says what stands behind it."""
    parts = feature_parts(data.feature.target, root)
    for name, meaning in PARTS.items():
        if name not in parts:
            why = f"{data.feature.target} does not say `{name}` in its class body: {meaning}"
            yield Mistake(("data", "feature", "_target_"), why)


def check_kind(model: Target, data: DataSection, root: Path) -> Iterator[Mistake]:
    """A network gets the kind of input that it takes (class attributes ``takes`` and ``gives``, where written)."""
    takes, gives = class_constant(model.target, "takes", root), class_constant(data.feature.target, "gives", root)
    if takes and gives and takes != gives:
        why = f"{model.target} takes {takes} inputs, but data.feature gives {gives}"
        yield Mistake(("model", "_target_"), why)


def check_transforms(augment: AugmentSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """A transform gets the kind of rows that it takes."""
    feature = data.feature.target
    fits = class_constant(feature, "augments", root) or (class_constant(feature, "gives", root),)
    for number, transform in enumerate(augment.transforms):
        takes = class_constant(transform.target, "takes", root)
        if takes and None not in fits and takes not in fits:
            why = f"{transform.target} changes {takes} rows, but data.feature gives {' and '.join(fits)}"
            yield Mistake(("augment", "transforms", number, "_target_"), why)


def check_answers(task: TaskSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """The parts of a task answer with what is to be predicted."""
    kind = class_constant(data.target.target, "kind", root) if data.target else "class"
    kind = class_constant(data.preparation.target, "predicts", root) or kind
    for name in ("inference", "module", "evaluation"):
        answers = class_constant(getattr(task, name).target, "answers", root)
        if answers and kind and answers != kind:
            why = f"answers with a {answers}, but what data.target predicts is a {kind}"
            yield Mistake(("task", name, "_target_"), why)
    if data.classes and kind != "class":
        yield Mistake(("data", "classes"), f"names classes, but what data.target predicts is a {kind}")


def check_patches(model: Target, data: DataSection) -> Iterator[Mistake]:
    """A transformer's patches cover the image, and its heads share the width."""
    values = model.arguments
    size, patch = data.feature.arguments.get("size"), values.get("patch")
    if isinstance(patch, int) and isinstance(size, list) and any(side % patch for side in size):
        why = f"an image of {'x'.join(map(str, size))} does not divide into patches of {patch}x{patch}"
        yield Mistake(("model", "patch"), f"{why} (data.feature.size)")
    dim, heads = values.get("dim"), values.get("heads")
    if isinstance(dim, int) and isinstance(heads, int) and dim % heads:
        yield Mistake(("model", "dim"), f"{dim} is no multiple of heads ({heads})")


def check_nesterov(optimizer: Target) -> Iterator[Mistake]:
    """Nesterov momentum needs momentum, undamped."""
    values = optimizer.arguments
    if values.get("nesterov") and (not values.get("momentum") or values.get("dampening")):
        yield Mistake(("optimizer", "nesterov"), "needs a momentum above 0, and dampening 0")


def check_class_weights(task: TaskSection, data: DataSection) -> Iterator[Mistake]:
    """There is one weight per class."""
    weights = task.module.arguments.get("class_weights")
    if isinstance(weights, list) and data.classes is not None and len(weights) != len(data.classes):
        why = f"{len(weights)} weights for {len(data.classes)} classes (data.classes)"
        yield Mistake(("task", "module", "class_weights"), why)


def check_top_k(evaluate: EvaluateSection, data: DataSection) -> Iterator[Mistake]:
    """The right class can be missing among the k most likely."""
    for number, k in enumerate(evaluate.top_k):
        if data.classes is not None and k >= len(data.classes):
            why = f"with {len(data.classes)} classes (data.classes) the right one is always among the {k} most likely"
            yield Mistake(("evaluate", "top_k", number), why)
    if len(set(evaluate.top_k)) < len(evaluate.top_k):
        yield Mistake(("evaluate", "top_k"), f"{evaluate.top_k} names a number twice")


def check_tables(evaluate: EvaluateSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """Figures by group and boosted trees are of tables."""
    gives = class_constant(data.feature.target, "gives", root)
    for name in ("subgroups", "baseline"):
        if getattr(evaluate, name) and gives and gives != "table":
            yield Mistake(("evaluate", name), f"needs a table, but data.feature gives {gives}")


def check_folds(evaluate: EvaluateSection) -> Iterator[Mistake]:
    """One fold would leave nothing to train on."""
    if evaluate.folds == 1:
        yield Mistake(("evaluate", "folds"), "1 fold leaves no rows to train on; 0 leaves it out, 5 or 10 is usual")


def _monitor(
    section: tuple[str, ...], metric: str, mode: str, task: TaskSection, data: DataSection, root: Path
) -> Iterator[Mistake]:
    computed = class_constant(task.module.target, "metrics", root)
    if computed and metric not in computed:
        yield Mistake((*section, "monitor"), f"{metric!r} is not computed by the task", nearest(metric, list(computed)))
        return
    better = computed.get(metric, mode) if isinstance(computed, dict) else mode
    if mode != better:
        yield Mistake((*section, "mode"), f"{metric} is better when it is {better}imal, not {mode}imal")
    splits = published_splits(data)
    if metric.startswith("val_") and not data.split.validation and splits is not None and "validation" not in splits:
        why = f"{metric} needs validation rows, but data.split.validation is 0 and the data publishes none"
        yield Mistake((*section, "monitor"), why)


CHECKS: tuple[Callable[..., Iterator[Mistake]], ...] = (
    *DATA_CHECKS,
    check_monitor,
    check_plateau,
    check_patience,
    check_warmup,
    check_devices,
    check_weights_file,
    check_offline,
    check_ranges,
    check_feature,
    check_kind,
    check_transforms,
    check_answers,
    check_patches,
    check_nesterov,
    check_class_weights,
    check_top_k,
    check_tables,
    check_folds,
    *COMPRESS_CHECKS,
)
"""Every check, in the order of the pipeline."""
