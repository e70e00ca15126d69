"""What to tell where a library is missing that an extra of this project brings."""

from importlib.util import find_spec

from stagewise.errors import StagewiseError

MODULES = {
    "serve": {
        "fastapi", "httptools", "orjson", "prometheus_client", "python_multipart", "starlette", "uvicorn", "uvloop",
    },
    "parquet": {"pyarrow"},
    "pipeline": {
        "aiohttp", "cyclonedx", "datasketch", "dvc", "dvc_data", "hydra", "joblib", "lightning_fabric", "matplotlib",
        "omegaconf", "onnx", "optuna", "packageurl", "psutil", "pytorch_lightning", "safetensors", "scipy", "sklearn",
        "torch", "torch_pruning", "torchmetrics", "voluptuous",
    },
}  # fmt: skip
"""By extra, the modules that this project imports and that come with it alone."""

_WHY = {
    "serve": "answering over HTTP takes libraries that nothing else needs",
    "parquet": "only files of Parquet need it",
    "pipeline": "what leads to a package is an extra, so that using a package takes no PyTorch",
}


def explain_missing(error: ModuleNotFoundError) -> StagewiseError | None:
    """Return what to tell the user about a missing module; None where no extra of this project brings it."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in MODULES.items():
        if module in modules:
            fix = f"pip install 'stagewise[{extra}]'"
            return StagewiseError(f"{module} is not installed", why=_WHY[extra], fix=fix)
    return None


def require(module: str) -> None:
    """See that a module is there before anything is begun; it is not imported.

    Raises:
        ModuleNotFoundError: it is not.
    """
    if find_spec(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
