"""Ending trainings that do badly: Optuna's pruners over the validation curves of all trials of a sweep.

A training is compared while it runs, epoch by epoch, with those that came as far (Li et al., Hyperband, JMLR 18, 2018;
Jamieson and Talwalkar, successive halving, AISTATS 2016). The study lies in the sweep's SQLite file, which the trials'
processes share.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stagewise.config.schema.train import TrainerSection
from stagewise.errors import SweepError
from stagewise.sweeps.record import Objective, Pruning

_STUDY = "pruning"
_TRIAL = "trial"


def pruning_from(rule: str | None, objectives: Sequence[Objective], trainer: TrainerSection) -> Pruning | None:
    """What a sweep's trainings are ended by: its first objective that training measures, else the monitored metric.

    Raises:
        SweepError: trainings are too short to be compared on the way.
    """
    if rule is None:
        return None
    if trainer.max_epochs < 3:
        raise SweepError(
            f"a training of {trainer.max_epochs} epochs cannot be ended early",
            where="--prune",
            why="trainings are compared after their epochs",
            fix="raise trainer.max_epochs, or leave --prune out",
        )
    measured = [objective for objective in objectives if objective.metric.startswith(("val_", "train_"))]
    by = measured[0] if measured else Objective(metric=trainer.monitor, direction=trainer.mode)
    return Pruning.model_validate({"rule": rule, "epochs": trainer.max_epochs, "by": by.model_dump()})


def open_pruning(pruning: Pruning, storage: str) -> Any:
    """The study in which trainings are compared, made where it is not there yet.

    Args:
        storage: URL of an Optuna storage.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Epochs before the first comparison: what a network says after one is mostly its rate's warm-up.
    first = max(pruning.epochs // 9, 1)
    pruners: Mapping[str, Any] = {
        "hyperband": lambda: optuna.pruners.HyperbandPruner(
            min_resource=first, max_resource=pruning.epochs, reduction_factor=3
        ),
        "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=3),
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=first),
    }
    return optuna.create_study(
        storage=storage,
        study_name=f"{_STUDY} {pruning.rule} {pruning.by.metric} {pruning.epochs}",
        direction="minimize" if pruning.by.direction == "min" else "maximize",
        pruner=pruners[pruning.rule](),
        load_if_exists=True,
    )


class Pruner:
    """Reports the epochs of one trial and says whether it should end.

    Args:
        pruning: the rule.
        storage: URL of the Optuna storage that the sweep's trials share.
        trial: id of the trial; one that goes on after a kill is not counted twice.
    """

    def __init__(self, pruning: Pruning, storage: str, trial: str) -> None:
        import optuna

        self._study, self._metric = open_pruning(pruning, storage), pruning.by.metric
        under_way = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        known = [found for found in under_way if found.user_attrs.get(_TRIAL) == trial]
        if known:
            self._trial = optuna.trial.Trial(self._study, known[0]._trial_id)
        else:
            self._trial = self._study.ask()
            self._trial.set_user_attr(_TRIAL, trial)
        self._reported = max(known[0].intermediate_values, default=0) if known else 0

    def ends(self, curves: Mapping[str, Sequence[float | None]]) -> bool:
        """Report the epochs that are new; whether one of them is too bad to go on."""
        for epoch, value in enumerate(curves.get(self._metric, ()), start=1):
            if epoch <= self._reported or value is None or not math.isfinite(value):
                continue
            self._trial.report(value, epoch)
            self._reported = epoch
            if self._trial.should_prune():
                return True
        return False

    def close(self, curves: Mapping[str, Sequence[float | None]], ended: bool) -> None:
        """Note that the training is over: by itself, with all of its ``curves``, or ended early."""
        from optuna.trial import TrialState

        if not ended:
            self.ends(curves)  # epochs that nobody saw; a training out of the cache shows none on the way
        values = [value for value in curves.get(self._metric, ()) if value is not None and math.isfinite(value)]
        if ended or not values:
            self._study.tell(self._trial, state=TrialState.PRUNED if ended else TrialState.FAIL)
        else:
            self._study.tell(self._trial, values[-1])
