"""Reviews of every kind, as the core would make them."""

from typing import Any

from stagewise.config.schema.review import ReviewSection
from stagewise.review.record import (
    Answers,
    Curve,
    Difference,
    Edge,
    Environment,
    Equivalence,
    Finding,
    Metric,
    Moved,
    Node,
    Output,
    Review,
    Revision,
    Stage,
)
from stagewise.review.verdict import Verdict, worst

HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](https://evil.example/a) ![i](https://evil.example/i.png)",
    "@octocat please look at #12 and GH-12, https://evil.example www.evil.example mail@evil.example",
    "a | b || `c` ```d``` \\| \\",
    "line one\n\n# heading\n---\n- item\n```\nfence",
    "\x1b[31mred\x1b[0m \x07 \x9b31m \u202egnp.exe\u202c \u200bzero",
    "</style><style>*{display:none}</style> </title> </pre> </details> <!-- --> -->",
    "{{ 7 * 7 }} {% raw %} [bold red]rich[/] :smile: $x^2$ ~~gone~~ **bold** _it_ &lt;b&gt; &#64;octocat",
    "javascript:alert(1) url(https://evil.example/u) @import 'https://evil.example/c.css'",
    "長い名前のクラス 🎉 " * 12,
    "../../etc/passwd",
]
HEX = "0123456789abcdef"
PARTS = {
    "ingest": ("data/raw", ["digits.csv", "ingest.json"]),
    "preprocess": ("data/processed", ["train.arrow", "validation.arrow", "test.arrow", "schema.json"]),
    "train": ("models/trained", ["model.safetensors", "history.csv"]),
    "evaluate": ("reports/evaluation", ["metrics.json", "predictions.parquet", "report.html", "learning_curves.csv"]),
    "compress": ("models/compressed", ["model.onnx", "candidates.json"]),
    "package": ("dist/my-model-0.1.0", ["model.onnx", "manifest.json", "card.md"]),
}


def digest(number: int) -> str:
    return "".join(HEX[(number * 7 + place * (number + 3)) % 16] for place in range(64))


def stage(name: str, verdict: Verdict = Verdict.IDENTICAL, **more: Any) -> Stage:
    folder, files = PARTS.get(name, ("out", ["file"]))
    outputs = [
        Output(
            path=f"{folder}/{file}",
            verdict=None if file.endswith((".safetensors", ".html")) else verdict,
            recorded=digest(number),
            reproduced=digest(number if verdict is Verdict.IDENTICAL else number + 40),
            detail="" if verdict is Verdict.IDENTICAL else "12 of 359 rows differ; the largest difference is 0.031",
        )
        for number, file in enumerate(files, start=sum(map(ord, name)) % 50)
    ]
    made = {
        "name": name, "verdict": verdict, "reason": f"{verdict.value.lower()}: every output was compared",
        "inputs_equal": True, "repeats": None, "seconds": 3.25, "outputs": outputs, "hosts": [], "log": "",
    }  # fmt: skip
    return Stage(**(made | more))


def graph(stages: list[Stage]) -> tuple[list[Node], list[Edge]]:
    """As the pipeline has it: params.yaml, a config per stage, folders between stages."""
    nodes = [
        Node(id="params.yaml", kind="file", label="params.yaml", digest=digest(1), verdict=None),
        Node(id="conf", kind="file", label="conf", digest=digest(2), verdict=None),
        Node(id="configure", kind="stage", label="configure", digest=None, verdict=Verdict.IDENTICAL),
        Node(id="digits", kind="source", label="sklearn:digits", digest=digest(3), verdict=None),
    ]
    edges = [Edge(source="params.yaml", target="configure"), Edge(source="conf", target="configure")]
    edges.append(Edge(source="digits", target="ingest"))
    reads = {"preprocess": ["ingest"], "train": ["preprocess"], "evaluate": ["preprocess", "train"]}
    reads |= {"compress": ["preprocess", "train"], "package": ["compress", "evaluate"]}
    for item in stages:
        config = f"build/{item.name}.yaml"
        nodes.append(Node(id=config, kind="output", label=config, digest=digest(4), verdict=Verdict.IDENTICAL))
        nodes.append(Node(id=item.name, kind="stage", label=item.name, digest=None, verdict=item.verdict))
        edges += [Edge(source="configure", target=config), Edge(source=config, target=item.name)]
        for output in item.outputs:
            nodes.append(
                Node(id=output.path, kind="output", label=output.path, digest=output.reproduced, verdict=output.verdict)
            )
            edges.append(Edge(source=item.name, target=output.path))
        for other in reads.get(item.name, ()):
            edges += [Edge(source=f"{PARTS[other][0]}/{file}", target=item.name) for file in PARTS[other][1]]
    return nodes, edges


def review(stages: list[Stage] | None = None, **more: Any) -> Review:
    """All identical, unless told otherwise."""
    stages = [stage(name) for name in PARTS] if stages is None else stages
    nodes, edges = graph(stages)
    losses: list[float | None] = [2.28, 1.4, 0.61, 0.32, 0.21, 0.17]
    curves = [Curve(name="train loss", recorded=losses, reproduced=losses, against=[])]
    curves.append(Curve(name="val accuracy", recorded=[0.34, 0.71, 0.9], reproduced=[0.34, 0.71, 0.9], against=[]))
    made: dict[str, Any] = {
        "tool": "stagewise 0.1.0",
        "project": "my-model",
        "revision": Revision(name="HEAD", commit="d20ace7968ba43c0219f62d71334c1095bab1602", subject="A wider network", date="2026-05-04T10:11:12+02:00"),
        "against": None,
        "started": "2026-05-04T09:00:00Z",
        "seconds": 73.4,
        "verdict": worst(item.verdict for item in stages),
        "thresholds": ReviewSection(),
        "environment": Environment(python="3.11.9", platform="Linux x86_64", processor="Xeon", instructions="AVX512", variables={}, differences=[]),
        "stages": stages,
        "answers": [],
        "metrics": [Metric(file="reports/evaluation/metrics.json", name=name, recorded=value, reproduced=value, against=None) for name, value in (("rows", 359.0), ("accuracy", 0.9972), ("nll", 0.00604486077977037))],
        "curves": curves,
        "findings": [],
        "nodes": nodes,
        "edges": edges,
    }  # fmt: skip
    return Review(**(made | more))


def equivalence(**more: Any) -> Equivalence:
    made = {
        "method": "tango", "rows": 359, "difference": -0.0028, "low": -0.0152, "high": 0.0081, "outer_low": -0.0183,
        "outer_high": 0.0107, "margin": 0.01, "alpha": 0.05, "discordance": 0.0139, "rows_to_decide": 1190,
    }  # fmt: skip
    return Equivalence(**(made | more))


def differing() -> Review:
    """One with everything filled: every rung of the ladder but FAILED, every kind of finding, another revision beside."""
    verdicts = [
        Verdict.IDENTICAL,
        Verdict.NUMERICAL,
        Verdict.STATISTICAL,
        Verdict.DIFFERS,
        Verdict.INCONCLUSIVE,
        Verdict.IDENTICAL,
    ]
    stages = [stage(name, verdict) for name, verdict in zip(PARTS, verdicts, strict=True)]
    stages[0] = stage("ingest", hosts=["archive.example:443", "93.184.216.34"])
    stages[3] = stage(
        "evaluate",
        Verdict.DIFFERS,
        inputs_equal=False,
        repeats=True,
        reason="12 of 359 answers are another class, more than the churn of 0.1 % that the revision commits to, and reports/evaluation/metrics.json moved",
    )
    moved = [
        Moved(
            id=f"test-{n:05d}",
            target="seven",
            recorded="one",
            reproduced="seven",
            confidence_recorded=0.5 + n / 100,
            confidence_reproduced=0.6,
        )
        for n in range(12)
    ]
    metrics = [
        Metric(file="reports/evaluation/metrics.json", name="rows", recorded=359, reproduced=359, against=359),
        Metric(file="reports/evaluation/metrics.json", name="accuracy", recorded=0.9972, reproduced=0.9638, against=0.9861),
        Metric(file="reports/evaluation/metrics.json", name="nll", recorded=0.00604486077977037, reproduced=0.00604486077977137, against=0.02),
        Metric(file="reports/evaluation/metrics.json", name="new_figure", recorded=None, reproduced=1.0, against=None),
        Metric(file="reports/compression/candidates.json", name="candidates.int8_static.bytes", recorded=64012, reproduced=64012, against=71200),
    ]  # fmt: skip
    curves = [
        Curve(name="train loss", recorded=[2.28, 1.4, 0.61, 0.32, 0.21], reproduced=[2.28, 1.4, 0.61, 0.32, 0.21], against=[2.3, 1.9, 1.2, 0.9, 0.8, 0.75]),
        Curve(name="val loss", recorded=[2.2, 1.2, 0.7, 0.5, 0.45], reproduced=[2.21, 1.25, 0.8, 0.52, None], against=[2.3, 1.8, 1.4, 1.1, 1.0, 0.9]),
        Curve(name="lr", recorded=[0.0003, 0.0006, 0.0012], reproduced=[0.0003, 0.0006, 0.0012], against=[]),
    ]  # fmt: skip
    environment = Environment(
        python="3.11.9", platform="Linux-6.1-x86_64 with glibc 2.36", processor="Intel Xeon, 2 cores", instructions="AVX512",
        variables={"OMP_NUM_THREADS": "2", "MKL_CBWR": "AVX2"},
        differences=[
            Difference(name="platform", recorded="macOS 15 arm64", here="Linux x86_64", numerics=False),
            Difference(name="torch", recorded="2.12.0", here="2.13.0", numerics=True),
            Difference(name="threads", recorded="4", here="2", numerics=True),
        ],
    )  # fmt: skip
    findings = [
        Finding(code="absolute-path", severity="note", stage=None, what="a path of another machine is named in the config", where="params.yaml:12", fix=None),
        Finding(code="data-leak", severity="error", stage="preprocess", what="18 test rows are also in the training split", where="data/processed/test.arrow", fix="set data.checks.leakage to drop, then dvc repro"),
        Finding(code="network-access", severity="warning", stage="ingest", what="the stage connected to an address that no source names", where="93.184.216.34", fix="name the source in params.yaml with its sha256"),
    ]  # fmt: skip
    return review(
        stages,
        against=Revision(name="origin/main", commit="a" * 40, subject="Before: the narrow network", date="2026-05-01T08:00:00+02:00"),
        answers=[
            Answers(stage="evaluate", rows=359, churn=12 / 359, largest_difference=0.412, moved=moved, equivalence=equivalence()),
            Answers(stage="train", rows=359, churn=0.0, largest_difference=0.0031, moved=[], equivalence=equivalence(method="paired means", difference=0.0007, low=-0.004, high=0.0054, outer_low=-0.005, outer_high=0.0064, discordance=None, rows_to_decide=None)),
        ],
        metrics=metrics, curves=curves, environment=environment, findings=findings,
    )  # fmt: skip


def failed() -> Review:
    names = list(PARTS)
    stages = [stage(name) for name in names[:2]]
    log = (
        "\n".join(f"epoch {n}: loss {1 / (n + 1):.4f}" for n in range(30)) + "\nTrainingError: the loss is not finite\n"
    )
    stages.append(stage("train", Verdict.FAILED, reason="the command exited with 1", outputs=[], log=log, seconds=12.0))
    stages += [stage(name, Verdict.FAILED, reason="a stage before it, train, did not run to its end", outputs=[], seconds=0.0, inputs_equal=False) for name in names[3:]]  # fmt: skip
    return review(stages, metrics=[], curves=[], answers=[])


def empty() -> Review:
    return review([], metrics=[], curves=[], nodes=[], edges=[])


def hostile() -> Review:
    """Every text of the revision an attack."""
    texts = iter(HOSTILE * 60)

    def bad() -> str:
        return next(texts)

    stages = [
        Stage(
            name=bad(), verdict=verdict, reason=bad(), inputs_equal=False, repeats=False, seconds=1.0, hosts=[bad(), bad()], log=bad() + bad(),
            outputs=[Output(path=bad(), verdict=verdict, recorded=bad(), reproduced=bad(), detail=bad()) for _ in range(3)],
        )
        for verdict in Verdict
    ]  # fmt: skip
    answers = [
        Answers(
            stage=bad(), rows=10, churn=0.5, largest_difference=0.5, equivalence=equivalence(),
            moved=[Moved(id=bad(), target=bad(), recorded=bad(), reproduced=bad(), confidence_recorded=None, confidence_reproduced=0.9) for _ in range(13)],
        )
    ]  # fmt: skip
    nodes = [Node(id=f"n{n}", kind=kind, label=bad(), digest=bad(), verdict=None) for n, kind in enumerate(["source", "file", "stage", "output"] * 4)]  # fmt: skip
    edges = [Edge(source=f"n{a}", target=f"n{b}") for a in range(16) for b in range(16) if (a * 5 + b * 3) % 7 == 0]
    return review(
        stages, tool=bad(), project=bad(),
        revision=Revision(name=bad(), commit="f" * 40, subject=bad(), date=bad()),
        against=Revision(name=bad(), commit="e" * 40, subject=bad(), date=bad()),
        environment=Environment(python=bad(), platform=bad(), processor=bad(), instructions=bad(), variables={bad(): bad() for _ in range(12)}, differences=[Difference(name=bad(), recorded=bad(), here=bad(), numerics=n % 2 == 0) for n in range(12)]),
        answers=answers,
        metrics=[Metric(file=bad(), name=bad(), recorded=0.1, reproduced=0.1 * (n % 2), against=0.3) for n in range(13)],
        curves=[Curve(name=bad(), recorded=[1.0, float("nan")], reproduced=[None, float("inf")], against=[0.5]) for _ in range(5)],
        findings=[Finding(code=bad(), severity=severity, stage=bad(), what=bad(), where=bad(), fix=bad()) for severity in ("note", "warning", "error") for _ in range(5)],
        nodes=nodes, edges=edges,
    )  # fmt: skip
