"""Turns a program of torch.export into .tflite: ``python litert_convert.py program.pt2 model.tflite``.

Run in an environment of its own that has litert-torch, so it imports nothing of this project.
"""

import sys


def convert(program: str, out: str) -> None:
    """Convert the .pt2 at ``program``, whose sizes are all fixed, to the .tflite at ``out``."""
    import litert_torch
    import torch

    loaded = torch.export.load(program)
    (example,), _ = loaded.example_inputs
    litert_torch.convert(loaded.module(check_guards=False), (example,), strict_export=False).export(out)


if __name__ == "__main__":
    convert(*sys.argv[1:])
