"""Declarative deep-learning pipelines: DVC stages, Hydra configs, PyTorch Lightning modules."""
