"""Sweeps: Hydra multirun over the whole pipeline, a DVC experiment per trial, no stage computed twice."""
