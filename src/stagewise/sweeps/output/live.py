"""What happens in a sweep while it runs: a table that follows the records, or plain lines without a terminal."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stagewise.report.plain_text import clean, clip, duration
from stagewise.sweeps.output import words
from stagewise.sweeps.output.table import STYLES
from stagewise.sweeps.output.values import SEED, columns, short
from stagewise.sweeps.record import Objective, Sweep, Trial, read_sweep, read_trial, settings_of, trial_file

_INTERVAL, _SETTINGS, _FRAME = 0.5, 40, 8
_ENDED = ("finished", "failed", "pruned")
_ORDER = ("running", "waiting", "stopped", "finished", "pruned", "failed")


class LiveTable:
    """Shows a sweep from its records while the block runs; it never stops the sweep, whatever the records say.

    In a terminal a table is drawn anew twice a second; a failure is also printed above it, once. Elsewhere one line
    is printed per trial that ends. Trials that had ended before the block was entered are counted, not announced.

    Args:
        root: of the project.
        sweep_name: whose record may not be there yet.
        console: where to; standard output if not given.
        clock: the time in seconds since the epoch.
    """

    def __init__(
        self, root: Path, sweep_name: str, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._records = _Records(root, sweep_name)
        self._console = console or Console(highlight=False)
        self._clock = clock
        self._entered = 0.0
        self._announced: set[str] = set()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="live table", daemon=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> "LiveTable":
        self._entered = self._clock()
        if self._live:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        try:
            self._update()
        finally:
            if self._live:
                self._live.stop()

    def _follow(self) -> None:
        while not self._left.wait(_INTERVAL):
            self._update()

    def _update(self) -> None:
        sweep, trials = self._records.read()
        if sweep is None:
            return
        ended = [trial for trial in trials if trial.state in _ENDED and trial.ended >= self._entered]
        for trial in sorted(ended, key=lambda trial: trial.ended):
            if trial.id not in self._announced:
                self._announced.add(trial.id)
                self._announce(trial, sweep)
        if self._live:
            room = max(self._console.height - _FRAME, 3)
            self._live.update(table(sweep, trials, self._clock(), room), refresh=True)

    def _announce(self, trial: Trial, sweep: Sweep) -> None:
        if self._live and trial.state != "failed":
            return
        for line in lines(trial, sweep.objectives):
            self._console.print(line, highlight=False, soft_wrap=True)


class _Records:
    """A sweep's records; a trial's is read again only when its file is another one."""

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root, name
        self._read: dict[str, tuple[tuple[int, int], Trial]] = {}

    def read(self) -> tuple[Sweep | None, list[Trial]]:
        """The sweep, None where there is none yet, and its trials."""
        sweep = read_sweep(self._root, self._name)
        return sweep, [self._trial(name) for name in dict.fromkeys(sweep.trials)] if sweep else []

    def _trial(self, name: str) -> Trial:
        try:
            status = trial_file(self._root, name).stat()
        except OSError:
            return Trial(id=name, overrides=[])
        version = (status.st_ino, status.st_mtime_ns)
        if name not in self._read or self._read[name][0] != version:
            trial = read_trial(self._root, name)
            if trial is None:
                return Trial(id=name, overrides=[])
            self._read[name] = (version, trial)
        return self._read[name][1]


def lines(trial: Trial, objectives: Sequence[Objective]) -> list[Text]:
    """What is said of a trial when it ends: a line; for one that failed, its log beside."""
    spent = words.span(_elapsed(trial, trial.ended))
    chosen = clean(words.settings_or_none(trial))
    head = Text.assemble((clean(trial.id), "bold"), f"  {chosen}  ")
    if trial.state == "failed":
        head.append(clean(words.failure(trial)), STYLES["failed"])
        log = [Text(f"  log: {clean(trial.log)}", "dim")] if trial.log else []
        return [head.append(f"  {spent}"), *log]
    figures = [f"{o.metric} {words.number(trial.metrics[o.metric])}" for o in objectives if o.metric in trial.metrics]
    return [head.append(clean("  ".join([trial.state, *figures, spent])))]


def table(sweep: Sweep, trials: Sequence[Trial], now: float, room: int) -> Group:
    """The table of this moment: those that run first, then those to come, then the ended ones, the latest first.

    Args:
        now: in seconds since the epoch.
        room: how many trials it may show.
    """
    drawn = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    objective = sweep.objectives[0] if sweep.objectives else None
    for name in (
        "trial",
        "settings",
        "state",
        "stage",
        f"best {clean(objective.metric)}" if objective else "best",
    ):
        drawn.add_column(Text(name), no_wrap=True, justify="right" if name.startswith("best") else "left")
    drawn.add_column("elapsed", justify="right", no_wrap=True)
    found = columns(trials)
    keys = short([key for key, values in found.items() if key == SEED or len(set(values)) > 1])
    ordered = sorted(trials, key=lambda trial: (_ORDER.index(trial.state), -trial.ended))
    for trial in ordered[:room]:
        chosen = clip(clean(" ".join(words.settings(settings_of(trial), keys))), _SETTINGS)
        stage = clip(clean(trial.stage or ""), 16)
        spent = words.span(_elapsed(trial, trial.ended if trial.state in _ENDED else now))
        cells = [clip(clean(trial.id), 12), chosen, trial.state, stage]
        best = words.number(best_so_far(trial, objective)) if objective else "–"
        drawn.add_row(*(Text(cell) for cell in cells), best, spent, style=STYLES[trial.state])
    hidden = len(trials) - room
    rest = [Text(f"and {words.count(hidden, 'more trial')}", "dim")] if hidden > 0 else []
    return Group(drawn, *rest, Text(progress(sweep, trials, now), "bold"))


def progress(sweep: Sweep, trials: Sequence[Trial], now: float) -> str:
    """How many trials ended, how many failed, and how long the rest may take."""
    total = max(sweep.total or 0, len(trials))
    done = sum(trial.state in _ENDED for trial in trials)
    failed = sum(trial.state == "failed" for trial in trials)
    left = remaining(total, trials, now)
    parts = [f"{done} of {total if sweep.total else f'{total} or more'} trials ended"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"about {duration(left)} to go"] if left is not None and sweep.total else []
    return ", ".join(parts)


def remaining(total: int, trials: Sequence[Trial], now: float) -> float | None:
    """Seconds until all trials have ended, if the rest take as long as finished ones did; None before one finished.

    Args:
        total: number of trials, those not yet asked for included.
        now: in seconds since the epoch.
    """
    spent = [
        took for trial in trials if trial.state == "finished" and (took := _elapsed(trial, trial.ended)) is not None
    ]
    running = [trial for trial in trials if trial.state == "running"]
    if not spent:
        return None
    usual = sum(spent) / len(spent)
    ends = [max(usual - (_elapsed(trial, now) or 0.0), 0.0) for trial in running]
    waiting = total - len(running) - sum(trial.state in _ENDED for trial in trials)
    if waiting <= 0:
        return max(ends, default=0.0)
    return (sum(ends) + waiting * usual) / max(len(running), 1)


def best_so_far(trial: Trial, objective: Objective) -> float | None:
    """The best epoch's value of an objective, or the figure of the whole trial; None while there is neither."""
    if objective.metric in trial.metrics:
        return trial.metrics[objective.metric]
    known = [value for value in trial.curves.get(objective.metric, []) if value is not None]
    choose = min if objective.direction == "min" else max
    return choose(known, default=None)


def _elapsed(trial: Trial, until: float) -> float | None:
    return max(until - trial.started, 0.0) if trial.started else None
