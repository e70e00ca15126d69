"""A pipeline of four quick stages, without torch, on which a review takes seconds; and ways to spoil its record."""

import contextlib
import io
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from workspaces import call, workspace

from stagewise.cli import main

PIPELINE = """\
stages:
  configure:
    cmd: python -m stagewise configure
    deps: [params.yaml, conf, src, stages]
    outs:
      - build/ingest.yaml: {cache: false}
      - build/preprocess.yaml: {cache: false}
      - build/train.yaml: {cache: false}
      - build/evaluate.yaml: {cache: false}
      - build/compress.yaml: {cache: false}
      - build/package.yaml: {cache: false}
  prepare:
    cmd: python small/prepare.py
    params: [{build/preprocess.yaml: null}]
    deps: [points.csv, small/prepare.py]
    outs: [data/rows.parquet]
  train:
    cmd: python small/train.py
    params: [{build/train.yaml: null}]
    deps: [data/rows.parquet, small/train.py]
    outs: [models/small]
  evaluate:
    cmd: python small/evaluate.py
    params: [{build/evaluate.yaml: null}]
    deps: [data/rows.parquet, models/small, small/evaluate.py]
    metrics:
      - reports/metrics.json: {cache: false}
    outs: [reports/predictions.parquet, reports/page.html]
"""

PREPARE = """\
import pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq
table = pyarrow.csv.read_csv("points.csv")
pq.write_table(table, "data/rows.parquet")
"""

TRAIN = """\
import json
from pathlib import Path
import numpy as np, pyarrow.parquet as pq, yaml
from safetensors.numpy import save_file
seed = yaml.safe_load(open("build/train.yaml"))["config"]["seed"]
random = np.random.default_rng(seed)
table = pq.read_table("data/rows.parquet")
x = np.column_stack([table["a"], table["b"]])[:300]
y = np.asarray(table["target"])[:300]
chosen = random.choice(300, 60, replace=False)
weights = random.normal(size=2) * 3
losses = []
for _ in range(40):
    p = 1 / (1 + np.exp(-(x[chosen] @ weights)))
    weights -= 0.5 * x[chosen].T @ (p - y[chosen]) / 60
    losses.append(float(np.mean((p - y[chosen]) ** 2)))
Path("models/small").mkdir(parents=True)
save_file({"weights": weights}, "models/small/model.safetensors")
"""

EVALUATE = """\
import json
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from safetensors.numpy import load_file
table = pq.read_table("data/rows.parquet")
x = np.column_stack([table["a"], table["b"]])[300:]
y = np.asarray(table["target"])[300:]
p = 1 / (1 + np.exp(-(x @ load_file("models/small/model.safetensors")["weights"])))
label = (p > 0.5).astype(int)
Path("reports").mkdir(exist_ok=True)
pq.write_table(pa.table({
    "id": [f"row {i}" for i in range(len(y))], "target": y.astype(str), "label": label.astype(str),
    "correct": label == y, "p_0": 1 - p, "p_1": p,
}), "reports/predictions.parquet")
accuracy = float(np.mean(label == y))
Path("reports/metrics.json").write_text(json.dumps({"rows": len(y), "accuracy": accuracy}))
Path("reports/page.html").write_text(f"<p>{accuracy}</p>\\n")
"""

POINTS = """\
import numpy as np
random = np.random.default_rng(5)
y = random.integers(0, 2, 1300)
x = random.normal(size=(1300, 2)) + (2 * y - 1)[:, None] * 0.9
print("a,b,target")
for row, target in zip(x, y):
    print(f"{row[0]:.6f},{row[1]:.6f},{target}")
"""

SCRIPTS = {"prepare": PREPARE, "train": TRAIN, "evaluate": EVALUATE}
PARAMS = "name: small\nversion: 0.1.0\nseed: 0\nthreads: 1\ndata: digits\nreview: {margin: 0.05}\n"


def small_project(root: Path) -> Path:
    """Make the project with a first run recorded and committed."""
    workspace(root)
    shutil.rmtree(root / "dist", ignore_errors=True)
    for name in ("dvc.lock", "build"):
        place = root / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(PARAMS)
    (root / "README.md").write_text("# small\n")
    (root / "small").mkdir()
    for name, text in SCRIPTS.items():
        (root / "small" / f"{name}.py").write_text(text)
    points = subprocess.run([sys.executable, "-c", POINTS], check=True, capture_output=True, text=True).stdout
    (root / "points.csv").write_text(points)
    call(root, "git", "add", "--all")
    record(root)
    return root


def record(root: Path, **environment: str) -> None:
    """Run the pipeline and commit what it records."""
    call(root, "dvc", "repro", **environment)
    commit(root)


def commit(root: Path) -> None:
    """Commit everything that is not ignored."""
    call(root, "git", "add", "--all")
    call(root, "git", "commit", "--quiet", "--allow-empty", "--message", "a run")


def copy(root: Path, target: Path) -> Path:
    """A copy of a project with its cache, to spoil."""
    shutil.copytree(root, target, symlinks=True)
    return target


def review(root: Path, *arguments: str) -> tuple[int, str]:
    """Run ``stagewise review`` on a project, in this process; its exit code and what it printed."""
    printed = io.StringIO()
    with contextlib.chdir(root), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        warnings.simplefilter("ignore", DeprecationWarning)  # of DVC's own libraries; pytest takes it back
        try:
            main(["review", *arguments, "--out", "review"])
        except SystemExit as ended:
            return int(ended.code or 0), printed.getvalue()
