"""Declarative deep-learning pipelines: DVC stages, Hydra configs, PyTorch Lightning modules."""

import os

# OpenMP reads this once, when torch loads it, which is after this package. Threads that spin while they wait take
# the core from the thread that works wherever another process runs too: bench/waiting.py measures both ways.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# onnxruntime 1.32 writes a device id into the home folder and reports its use over the network unless this is set
# before it is loaded; a stage uses no network that its config does not name.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
