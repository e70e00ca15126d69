"""What stands beside a model of tables on its page, where the config asks for it: figures by group, boosted trees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.rows import Rows
from stagewise.data.schema import SPLITS, DataSchema
from stagewise.evaluation import baseline, subgroups
from stagewise.evaluation.protocol import Beside
from stagewise.report.tables import write_csv


class LookBeside:
    """Measures what ``evaluate.subgroups`` and ``evaluate.baseline`` ask for."""

    def __call__(
        self,
        settings: EvaluateSection,
        seed: int,
        schema: DataSchema,
        rows_of: Callable[[str], Rows],
        answers: NDArray[Any],
        figures: Path,
    ) -> Beside:
        """Measure on the test rows, and write the tables into ``figures``.

        Args:
            rows_of: opens the rows of a split of ``schema``.
            answers: of the network for the test rows: probabilities ``(n, classes)``, or numbers ``(n,)``.

        Raises:
            ConfigError: the data is no table, lacks a column, or what is predicted is neither a class nor a number.
        """
        metrics: dict[str, float] = {}
        context: dict[str, Any] = {"subgroups": None, "baseline": None, "compared": subgroups.COMPARED}
        if settings.subgroups:
            test = rows_of("test")
            targets = baseline.Table.of(test).targets
            groups = subgroups.subgroups(schema, test, targets, answers, settings, seed)
            write_csv(figures / "subgroups.csv", subgroups.COLUMNS, subgroups.flat(groups))
            for one in groups:
                metrics |= one.metrics
            context["subgroups"] = groups
        if settings.baseline:
            splits = {name: rows_of(name) for name in SPLITS if name in schema.splits}
            result = baseline.gradient_boosting(schema, splits, answers, settings, seed)
            write_csv(figures / "baseline.csv", baseline.COLUMNS, result.lines)
            metrics |= result.metrics
            context["baseline"] = result
        return Beside(metrics, context)
