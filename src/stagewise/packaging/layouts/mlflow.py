"""An MLflow model: the package, and a loader that makes it a ``python_function``.

Nothing of MLflow is needed to write it.
"""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import yaml

from stagewise.packaging.layouts.contents import Contents, write_text

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:stagewise:mlflow")

_MODULE = "stagewise_package"
_LOADER = '''\
"""What MLflow calls to load and ask a package; the same for every one."""

import base64
import sys
from pathlib import Path
from types import ModuleType

import numpy as np


def _load_pyfunc(data_path):
    """The verified package."""
    path = Path(data_path) / "predict.py"
    module = ModuleType(f"predictor of {path.parent}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    return Model(module.Predictor.load(data_path))


class Model:
    """Takes one input per row; gives an answer for each, as ``to_dict`` words it."""

    def __init__(self, predictor):
        self._predictor = predictor
        self._kind = predictor.schema["inputs"][0]["kind"]

    def predict(self, model_input, params=None):
        """Answers for a data frame, a list or an array of inputs.

        An input is what io.schema.json calls a request. A frame is a table whose rows are inputs, or one series; for
        other kinds it has one column, of inputs. ``params`` may hold ``top``: how many of the most likely classes are
        named.
        """
        top = int((params or {}).get("top", 1))
        values = [self._value(value) for value in self._values(model_input)]
        return [answer.to_dict(top) for answer in self._predictor.predict(values)]

    def _values(self, given):
        if hasattr(given, "to_dict") and hasattr(given, "columns"):
            if self._kind == "table":
                return given.to_dict(orient="records")
            if self._kind == "series":
                return [given.to_dict(orient="list")]
            return list(given[given.columns[0]])
        return list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]

    def _value(self, value):
        if self._kind in ("image", "sound") and isinstance(value, str):  # a file, in base64
            return base64.b64decode(value, validate=True)
        return np.asarray(value) if self._kind == "image" and isinstance(value, list) else value
'''

_COLUMNS = {"image": "binary", "sound": "binary", "text": "string"}


def write(contents: Contents, out: Path) -> None:
    """Write the model into the empty folder ``out``: MLmodel, its environment, the loader in code/, the package."""
    requirements = (contents.folder / "requirements.txt").read_text(encoding="utf-8")
    write_text(out / "code" / f"{_MODULE}.py", _LOADER)
    write_text(out / "MLmodel", yaml.safe_dump(_mlmodel(contents), sort_keys=False))
    write_text(out / "requirements.txt", f"mlflow\n{requirements}")
    write_text(out / "python_env.yaml", yaml.safe_dump({"python": "3.11", "dependencies": ["-r requirements.txt"]}))
    contents.copy_to(out / "package")


def _mlmodel(contents: Contents) -> dict[str, Any]:
    """The model's description; its id follows from the package's manifest."""
    manifest = hashlib.sha256((contents.folder / "manifest.json").read_bytes()).hexdigest()
    kind = contents.feature["kind"]
    flavor = {
        "loader_module": _MODULE,
        "code": "code",
        "data": "package",
        "python_version": "3.11",
        "env": {"virtualenv": "python_env.yaml"},
    }
    described: dict[str, Any] = {
        "flavors": {"python_function": flavor},
        "model_uuid": uuid.uuid5(_IDS, manifest).hex,
        "metadata": {"name": contents.name, "version": contents.version, "manifest_sha256": manifest},
    }
    column = [{"type": _COLUMNS[kind], "name": kind, "required": True}] if kind in _COLUMNS else None
    params = [{"name": "top", "type": "long", "default": 1, "shape": None}] if contents.classes else None
    signature = {"inputs": column, "outputs": None, "params": params}
    if column or params:
        described["signature"] = {key: value and json.dumps(value) for key, value in signature.items()}
    return described
