"""How often drift is told where there is none, and how soon where there is some.

    python bench/drift.py alarms   [NAME[=FOLDER] ...]     false alarms: synthetic columns, and rows of real data
    python bench/drift.py shifts   [NAME[=FOLDER] ...]     real rows, changed in known ways
    python bench/drift.py rotation [NAME[=FOLDER]] --picture docs/drift.png

NAME is digits, fashion, spam or adult; FOLDER is a project in which `dvc repro package` has run this experiment.
Without a folder it runs in a private copy of the project first. --json FILE writes all figures. The rows go the way of
the service's: what is measured of them, windows, verdicts. Needs the mirror of the data sets (STAGEWISE_MIRROR).
"""

import argparse
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from changed_rows import Rows, changes, on_pixels, rotated
from numpy.typing import NDArray
from workspace import cold_copy, run, write_params

from stagewise.compression.session import GraphSession
from stagewise.data.rows import StoredRows
from stagewise.data.schema import read_schema
from stagewise.drift.columns import Column, Columns, outcomes, said
from stagewise.drift.monitor import Monitor, Part
from stagewise.drift.reference import check_reference, describe
from stagewise.drift.shift import Verdict, judge
from stagewise.metrics.intervals import wilson

ALPHA, ALPHAS = 0.001, (0.05, 0.01, 0.001)
SIZES = (20, 50, 100, 200, 500, 1000)
LABELLED = 200
SURE = 0.8
MOST = 100
NEEDED = "rows needed: inputs | class, confidence | scores | all"
EXPERIMENTS = {
    "digits": (),
    "fashion": ("experiment=fashion_mnist", "trainer.max_epochs=3"),
    "spam": ("experiment=sms_spam",),
    "adult": ("experiment=adult",),
}


class Model:
    """A package, and the rows of its splits."""

    def __init__(self, root: Path) -> None:
        (manifest,) = root.glob("dist/*/manifest.json")
        self.package, self._data = manifest.parent, root / "data/processed"
        self.schema = json.loads((self.package / "schema.json").read_text())
        self.columns = Columns(self.schema)
        self.reference = check_reference(json.loads((self.package / "reference.json").read_text()), self.columns)
        self._graph = GraphSession(self.package / "model.onnx", 1)

    def split(self, name: str) -> tuple[Rows, NDArray[Any]]:
        """Rows one by one, without padding, and their targets."""
        schema = read_schema(self._data)
        stored = StoredRows(self._data / schema.splits[name].file, schema)
        every = np.arange(len(stored))
        taken = stored.take(every) if stored.lengths is None else [stored.take(every[k : k + 1])[0] for k in every]
        return list(taken), stored.take_targets(every)

    def measure(self, rows: Rows, targets: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """What is measured of rows and answers, and what labels tell of the answers."""
        size = 64 if len({row.shape for row in rows}) == 1 else 1
        parts = [self._graph(np.stack(rows[begin : begin + size])) for begin in range(0, len(rows), size)]
        outputs = [np.concatenate(output) for output in zip(*parts, strict=True)]
        told = None if targets is None else outcomes(said(self.schema["target"]["kind"], outputs), targets)
        return self.columns.table(rows, outputs), told

    def groups(self) -> dict[str, list[int]]:
        """Places of the columns of each group."""
        names = [column.name for column in self.columns.columns]
        of = ["scores" if ".score." in name else name.partition(".")[0] for name in names]
        return {group: [k for k, one in enumerate(of) if one == group] for group in ("input", "answer", "scores")}


@contextlib.contextmanager
def opened(argument: str) -> Iterator[tuple[str, Model]]:
    name, _, folder = argument.partition("=")
    if folder:
        yield name, Model(Path(folder))
        return
    with cold_copy() as root:
        write_params(root, list(EXPERIMENTS[name]))
        run(root, "dvc", "repro", "package")
        yield name, Model(root)


# False alarms


class Source(NamedTuple):
    """Where windows without drift come from; both take a generator and the number of rows."""

    name: str
    columns: list[Column]
    reference: int
    apart: Callable[[np.random.Generator, int], NDArray[Any]]
    """No row twice, as where a pool is split at random."""
    fresh: Callable[[np.random.Generator, int], NDArray[Any]]
    """Rows drawn anew each time, so that the pool itself is the distribution."""


def synthetic(generator: np.random.Generator, count: int) -> NDArray[Any]:
    """Normal, heavy tails that belong to it, half of it zeros, few whole numbers, with missing values, a category."""
    normal = generator.normal(size=count)
    heavy = normal + generator.standard_t(1.5, count)
    zeros = generator.exponential(size=count) * (generator.random(count) < 0.5)
    missing = np.where(generator.random(count) < 0.2, np.nan, generator.normal(size=count))
    category = generator.choice(4, count, p=(0.6, 0.3, 0.09, 0.01))
    found = [normal, heavy, zeros, generator.poisson(1.5, count), missing, category]
    return np.stack(found, axis=1).astype(np.float32)


def sources(arguments: Sequence[str]) -> Iterator[Source]:
    names = [Column(f"input.{name}") for name in ("normal", "heavy", "zeros", "whole", "missing")]
    for reference in (150, 5000):
        yield Source("synthetic", [*names, Column("input.category", tuple("abcd"))], reference, synthetic, synthetic)
    for argument in arguments:
        with opened(argument) as (name, model):
            parts = [model.split(split) for split in ("train", "validation", "test")]
            table, _ = model.measure([row for rows, _ in parts for row in rows], None)

            yield Source(
                name,
                model.columns.columns,
                model.reference["rows"],
                lambda generator, count, table=table: table[generator.choice(len(table), count, replace=False)],
                lambda generator, count, table=table: table[generator.integers(0, len(table), count)],
            )


def entries_of(source: Source, table: NDArray[Any]) -> list[dict[str, Any]]:
    return [describe(column, table[:, place]) for place, column in enumerate(source.columns)]


def false_alarms(source: Source, count: int) -> list[dict[str, Any]]:
    """Every window with a fresh reference: rows of both are disjoint draws."""
    generator, most = np.random.default_rng(1), source.reference
    smallest: dict[int, list[float]] = {100: [], 500: []}
    for _ in range(count):
        table = source.apart(generator, most + 600)
        entries = entries_of(source, table[:most])
        for size, begin in ((100, most), (500, most + 100)):
            smallest[size].append(judge(entries, most, table[begin : begin + size], ALPHA).smallest)
    found = []
    for size, values in smallest.items():
        for alpha in ALPHAS:
            alarms = int((np.array(values) <= alpha).sum())
            rate = wilson(alarms, count, 0.95)
            found.append(_line(source, size, alpha) | {"alarms": alarms, "of": count, **rate._asdict()})
    return found


def of_bursts(source: Source, count: int, burst: int = 5) -> list[dict[str, Any]]:
    """Windows of rows that each come five times, which the promise is not of: as they are, larger, and of a tenth."""
    generator, most, found = np.random.default_rng(7), source.reference, []
    for size, one_in in ((500, 1), (2000, 1), (500, 10)):
        alarms = 0
        for _ in range(count):
            table = source.apart(generator, most + size * one_in // burst)
            sent = np.repeat(table[most:], burst, axis=0)
            window = sent[generator.choice(len(sent), size, replace=False)]
            alarms += judge(entries_of(source, table[:most]), most, window, ALPHA).alarm
        rate = wilson(alarms, count, 0.95)
        found.append(_line(source, size, ALPHA) | {"burst": burst, "one_in": one_in, "of": count, **rate._asdict()})
    return found


def by_reference(source: Source, references: int, count: int) -> list[dict[str, Any]]:
    """Many windows for each of some references; the rate of each."""
    generator, size = np.random.default_rng(2), 500
    smallest = np.empty((references, count))
    for one in range(references):
        entries = entries_of(source, source.fresh(generator, source.reference))
        for k in range(count):
            smallest[one, k] = judge(entries, source.reference, source.fresh(generator, size), ALPHA).smallest
    found = []
    for alpha in ALPHAS:
        rates = (smallest <= alpha).mean(1)
        low, high = np.quantile(rates, [0.5, 0.9])
        told = {"references": references, "windows": count, "mean": float(rates.mean()), "median": float(low)}
        found.append(_line(source, size, alpha) | told | {"ninetieth": float(high), "worst": float(rates.max())})
    return found


def _line(source: Source, size: int, alpha: float) -> dict[str, Any]:
    return {"source": source.name, "columns": len(source.columns), "reference": source.reference, "window": size,
            "alpha": alpha}  # fmt: skip


# Shifts


def examine(model: Model, name: str, what: str, rows: Rows, targets: NDArray[Any] | None) -> dict[str, Any]:
    """How one set of rows is judged."""
    table, told = model.measure(rows, targets)
    found: dict[str, Any] = {"data": name, "shift": what, "rows": len(rows), "alarms": {}, "needed": {}, "sizes": {}}
    groups = model.groups()
    for size in sorted({*(size for size in SIZES if size <= len(rows)), min(500, len(rows))}):
        verdicts = Monitor(model.columns, model.reference, size, ALPHA).traffic.add(windows(table, size))
        found["alarms"][size] = float(np.mean([verdict.alarm for verdict in verdicts]))
        alone = {group: share_of(verdicts, places) for group, places in groups.items()}
        found["sizes"][size] = alone
        for group, share in {**alone, "all": found["alarms"][size]}.items():
            if share >= SURE:
                found["needed"].setdefault(group, size)
        if size == min(500, len(rows)):
            found |= {"surest": surest(verdicts), "size": size}
    if told is not None:
        found |= {"accuracy": float(told[:, 0].mean()), "gap": float(told[:, 1].mean(dtype=np.float64))}
    if told is not None and len(told) >= LABELLED:
        part = Part(model.reference["outcomes"], model.reference["rows"], LABELLED, ALPHA)
        labelled = part.add(windows(told, LABELLED))
        drifted = Counter(shift.name for verdict in labelled for shift in verdict.drifted)
        found["feedback"] = {
            "any": float(np.mean([verdict.alarm for verdict in labelled])),
            **{name: drifted[f"outcome.{name}"] / len(labelled) for name in ("correct", "overconfidence")},
        }
    return found


def windows(table: NDArray[Any], size: int) -> NDArray[Any]:
    """Rows of up to a hundred windows: shuffled and cut, again where they are few; one where all rows are in it."""
    generator, whole = np.random.default_rng(6), len(table) // size
    rounds = 1 if whole * size == len(table) == size else -(-MOST // whole)
    parts = [table[generator.permutation(len(table))[: whole * size]] for _ in range(rounds)]
    return np.concatenate(parts)[: MOST * size]


def share_of(verdicts: Sequence[Verdict], places: Sequence[int]) -> float:
    """Of the windows, those that alarm if these columns are all that is looked at."""
    return float(np.mean([sure(verdict, places) <= ALPHA for verdict in verdicts]))


def sure(verdict: Verdict, places: Sequence[int]) -> float:
    """The smallest adjusted p if these columns were all that is looked at."""
    return min((verdict.shifts[place].p * len(places) for place in places), default=1.0)


def surest(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The column that is most often the surest; its stability index, and the largest of any column."""
    name, _ = Counter(min(verdict.shifts, key=lambda shift: shift.p).name for verdict in verdicts).most_common(1)[0]
    psi = [shift.psi for verdict in verdicts for shift in verdict.shifts if shift.name == name]
    largest = np.median([max(shift.psi for shift in verdict.shifts) for verdict in verdicts])
    return {"name": name, "psi": float(np.median(psi)), "largest": float(largest)}


def shifts(argument: str) -> list[dict[str, Any]]:
    with opened(argument) as (name, model):
        test, train = model.split("test"), model.split("train")
        every: dict[str, tuple[Rows, Any]] = {"test rows": test, "training rows": train}
        every |= {
            what: change(*test)
            for what, change in changes(model.columns.kind, model.package, model.schema, name == "digits").items()
        }
        return [examine(model, name, what, *given) for what, given in every.items()]


def shown_shift(found: dict[str, Any]) -> str:
    needed = " | ".join(str(found["needed"].get(group, "-")) for group in ("input", "answer", "scores", "all"))
    surest, right = found["surest"], f"{found['accuracy']:.1%}" if "accuracy" in found else ""
    at = " | ".join(f"{found['alarms'][size]:.0%}" for size in (100, found["size"]))
    return f"| {found['shift']} | {right} | {at} | {surest['name']} | {surest['psi']:.2f} | {needed} |"


def shown_feedback(found: dict[str, Any]) -> str:
    shares = [found["alarms"][LABELLED], *(found["feedback"][name] for name in ("correct", "overconfidence", "any"))]
    told = " | ".join(f"{share:.0%}" for share in shares)
    return f"| {found['shift']} | {found['accuracy']:.1%} | {found['gap']:+.3f} | {told} |"


# Rotation, as a picture


def rotation(argument: str, picture: Path) -> list[dict[str, Any]]:
    """How sure windows of 200 rows are, and how right the answers, as pictures are turned."""
    found = []
    with opened(argument) as (name, model):
        rows, targets = model.split("test")
        for angle in np.arange(0, 31, 2.5):
            turned, _ = on_pixels(rotated(angle))(rows, targets)
            table, told = model.measure(turned, targets)
            if told is None:
                raise SystemExit(f"{name}: its targets are no classes")
            traffic = Monitor(model.columns, model.reference, LABELLED, ALPHA).traffic
            verdicts = traffic.add(windows(table, LABELLED))
            line: dict[str, Any] = {"data": name, "angle": float(angle), "accuracy": float(told[:, 0].mean())}
            line["confidence"] = line["accuracy"] + float(told[:, 1].mean(dtype=np.float64))
            for group, places in model.groups().items():
                values = [-np.log10(min(1.0, sure(verdict, places))) for verdict in verdicts]
                line[group] = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
            found.append(line)
            print(line, flush=True)
    draw(found, picture)
    return found


def draw(found: list[dict[str, Any]], picture: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(9.4, 3.6), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(sheet)
    left, right = sheet.subplots(1, 2)
    angles = [line["angle"] for line in found]
    named = {"input": ("input columns", "#2a6fbb"), "answer": ("class and confidence", "#c2571a"),
             "scores": ("scores of the classes", "#3b8a4a")}  # fmt: skip
    for group, (name, colour) in named.items():
        low, middle, high = np.array([line[group] for line in found]).T
        left.fill_between(angles, low, high, color=colour, alpha=0.15, linewidth=0)
        left.plot(angles, middle, color=colour, label=name)
    left.axhline(-np.log10(ALPHA), color="#555555", linestyle="--", linewidth=1)
    above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "right", "color": "#555555"}
    left.annotate("alarm", (angles[-1], -np.log10(ALPHA)), **above)
    ticks = (0, 1, 3, 10, 30, 100, 300)
    left.set_yscale("symlog", linthresh=3, linscale=1.4)
    left.set_yticks(ticks, [str(tick) for tick in ticks])
    left.set(title=f"How sure a window of {LABELLED} rows is", ylabel="powers of ten of 1/p", ylim=(0, 400))
    for key, colour in (("confidence", "#c2571a"), ("accuracy", "#222222")):
        right.plot(angles, [100 * line[key] for line in found], color=colour, label=key)
    gap = [[100 * line[key] for line in found] for key in ("accuracy", "confidence")]
    right.fill_between(angles, *gap, color="#c2571a", alpha=0.15, linewidth=0, label="calibration gap")
    right.set(title="How right the answers are", ylabel="percent", ylim=(None, 101))
    for panel in (left, right):
        panel.set_xlabel("degrees")
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, loc="lower right" if panel is left else "upper right")
    sheet.savefig(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("alarms", "shifts", "rotation"))
    parser.add_argument("names", nargs="*", metavar="NAME[=FOLDER]", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--windows", type=int, default=20_000, help="with a fresh reference each (20,000)")
    parser.add_argument("--references", type=int, default=50, help="with a thousand windows each (50)")
    parser.add_argument("--picture", type=Path, default=Path("drift.png"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found: list[Any] = []
    if options.part == "rotation":
        found = rotation((options.names or ["digits"])[0], options.picture)
    elif options.part == "alarms":
        for source in sources(options.names or ["digits", "adult"]):
            lines = false_alarms(source, options.windows) + by_reference(source, options.references, 1000)
            lines += of_bursts(source, options.windows // 10)
            for line in lines:
                print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                                for key, value in line.items()), flush=True)  # fmt: skip
            found += lines
    else:
        for argument in options.names or EXPERIMENTS:
            lines = shifts(argument)
            print(f"\n{argument.partition('=')[0]}\n")
            print(f"| rows | accuracy | windows of 100 | of {lines[0]['size']} | surest column | PSI | {NEEDED} |")
            print(*map(shown_shift, lines), sep="\n")
            print("\n| rows | accuracy | gap | traffic at 200 | correct | overconfidence | either |")
            print(*(shown_feedback(line) for line in lines if "feedback" in line), sep="\n", flush=True)
            found += lines
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
