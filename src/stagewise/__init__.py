"""Declarative deep-learning pipelines: DVC stages, Hydra configs, PyTorch Lightning modules."""

import os

# OpenMP reads this once, when torch loads it, which is after this package. Threads that spin while they wait take
# the core from the thread that works wherever another process runs too: bench/waiting.py measures both ways.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
