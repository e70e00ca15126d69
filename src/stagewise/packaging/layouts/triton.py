"""A model repository of the Triton inference server.

Triton serves the graph alone: it takes rows as schema.json describes them, so the reader of inputs lies beside it for
whoever calls the server.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stagewise.packaging.layouts.contents import Contents, write_text

_CONFIG = """\
# {name} {version}
name: {quoted}
backend: "onnxruntime"
max_batch_size: 64
input [
{inputs}
]
output [
{outputs}
]
# Requests that arrive together are answered together; none waits for others.
dynamic_batching {{ }}
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
parameters {{ key: "intra_op_thread_count" value: {{ string_value: "1" }} }}
"""

_README = """\
# {name} {version} for Triton

    tritonserver --model-repository FOLDER

The server takes rows, {dtype} `{input}` {shape}, not files. `client/inputs.py` turns what a user has into rows:

    import json
    from inputs import Reader

    with open("schema.json") as file:
        reader = Reader(json.load(file)["inputs"][0])
    rows = reader.stack([reader.encode(value)])
"""


def write(contents: Contents, out: Path) -> None:
    """Write the repository into the empty folder ``out``, with one model of version 1."""
    feature, folder = contents.feature, out / contents.name
    outputs = [_output(item, bool(contents.classes)) for item in contents.schema["outputs"]]
    config = _CONFIG.format(
        name=contents.name,
        version=contents.version,
        quoted=json.dumps(contents.name),
        inputs=_input(feature),
        outputs=",\n".join(outputs),
    )
    write_text(folder / "config.pbtxt", config)
    contents.copy("model.onnx", folder / "1" / "model.onnx")
    if contents.classes:
        # A line per class is what Triton reads, so a name is brought to one.
        write_text(folder / "labels.txt", "".join(f"{' '.join(name.split())}\n" for name in contents.classes))
    for name in ("inputs.py", "schema.json", "requirements.txt"):
        contents.copy(name, folder / "client" / name)
    shape = [side or "any" for side in feature["shape"]]
    text = _README.format(
        name=contents.name, version=contents.version, dtype=feature["dtype"], input=feature["name"], shape=shape
    )
    write_text(folder / "client" / "README.md", text)


def _input(feature: dict[str, Any]) -> str:
    return f"  {{ name: {json.dumps(feature['name'])} {_type(feature['dtype'])} {_dims(feature['shape'])} }}"


def _output(output: dict[str, Any], labelled: bool) -> str:
    """One output; of the classes' shares Triton can tell the names."""
    shape = output["shape"][1:]
    # A number per row: Triton wants an axis, and takes it off again.
    dims = _dims(shape) if shape else "dims: [ 1 ] reshape: { shape: [ ] }"
    labels = ' label_filename: "labels.txt"' if labelled and shape else ""
    return f"  {{ name: {json.dumps(output['name'])} {_type(output['dtype'])} {dims}{labels} }}"


def _type(dtype: str) -> str:
    return f"data_type: TYPE_{dtype.upper().replace('FLOAT', 'FP')}"


def _dims(sides: Iterable[int | str | None]) -> str:
    """The axes after the batch; -1 where the length varies."""
    return f"dims: [ {', '.join(str(side if isinstance(side, int) else -1) for side in sides)} ]"
