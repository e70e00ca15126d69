"""Packages made to harm whoever loads them: what each changes in a good one, and what the refusal says."""

import hashlib
import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from bundles import write_graph
from onnx import TensorProto, helper

SECRET = "secret.txt"
"""A file beside the package, which none may reach."""

Change = Callable[[Path], object]


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def write_manifest(folder: Path, manifest) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_manifest(folder: Path, change) -> None:
    manifest = manifest_of(folder)
    change(manifest)
    write_manifest(folder, manifest)


def entry_of(content: bytes) -> dict:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def list_again(folder: Path, *more: str) -> None:
    """Make the manifest fit files that were changed on purpose."""
    manifest = manifest_of(folder)
    for name in {**manifest["files"], **dict.fromkeys(more)}:
        manifest["files"][name] = entry_of((folder / name).read_bytes())
    write_manifest(folder, manifest)


def listing(name: str, content: bytes = b"x") -> Change:
    """A manifest that lists a name, whatever lies there."""
    return lambda folder: change_manifest(folder, lambda it: it["files"].update({name: entry_of(content)}))


def entry(**changes) -> Change:
    return lambda folder: change_manifest(folder, lambda it: it["files"]["model.onnx"].update(changes))


def manifest_text(edit: Callable[[str], str]) -> Change:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(edit(path.read_text()))

    return change


def linked(name: str, target: str) -> Change:
    """A link in the place of a file, to its own content elsewhere."""

    def change(folder: Path) -> None:
        path, elsewhere = folder / name, folder.parent / target
        elsewhere.parent.mkdir(exist_ok=True)
        path.rename(elsewhere)
        path.symlink_to(elsewhere)

    return change


def added(name: str, content: bytes = b"x", *, listed: bool = False) -> Change:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if listed:
            list_again(folder, name)

    return change


def listen(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def special(make: Callable[[Path], object], name: str, *, instead: bool = False) -> Change:
    def change(folder: Path) -> None:
        if instead:
            (folder / name).unlink()
        make(folder / name)

    return change


def edited(name: str, edit) -> Change:
    """A JSON file changed, and the manifest with it."""

    def change(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        changed = edit(value)
        (folder / name).write_text(json.dumps(value if changed is None else changed))
        list_again(folder)

    return change


def rewritten(name: str, content: bytes) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)
        list_again(folder)

    return change


def graph(edit) -> Change:
    """The model changed, and the manifest with it."""

    def change(folder: Path) -> None:
        model = onnx.load(folder / "model.onnx")
        edit(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        list_again(folder)

    return change


def outside(tensor: TensorProto, place: str = "weights.bin") -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)


def outside_tensor(place: str = "weights.bin") -> TensorProto:
    tensor = helper.make_tensor("outside", TensorProto.FLOAT, [1], [1.0])
    outside(tensor, place)
    return tensor


def in_attribute(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=outside_tensor()))


def in_subgraph(model: onnx.ModelProto) -> None:
    out = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    inner = helper.make_graph([helper.make_node("Identity", ["outside"], ["inner"])], "branch", [], [out])
    inner.initializer.append(outside_tensor("../" + SECRET))
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=inner, else_branch=inner))


def in_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["y"], value=outside_tensor())
    model.functions.append(helper.make_function("", "Own", [], ["y"], [node], [helper.make_opsetid("", 20)]))


def in_list_of_graphs(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [outside_tensor()])
    node = helper.make_node("Identity", ["image"], ["unused"])
    node.attribute.append(helper.make_attribute("graphs", [inner]))
    model.graph.node.append(node)


def in_training(model: onnx.ModelProto) -> None:
    model.training_info.add().initialization.initializer.append(outside_tensor())


def deep_graph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "end", [], [])
    for _ in range(25):
        node = helper.make_node("If", ["c"], ["d"], then_branch=inner)
        inner = helper.make_graph([node], "level", [], [])
    model.graph.node.extend(inner.node)


def of_domain(domain: str):
    def edit(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid(domain, 1))
        model.graph.node.append(helper.make_node("Evil", ["image"], ["unused"], domain=domain))

    return edit


def compiled_elsewhere(model: onnx.ModelProto) -> None:
    attributes = {"embed_mode": 0, "ep_cache_context": "../" + SECRET, "main_context": 1}
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node.append(helper.make_node("EPContext", ["image"], ["unused"], domain="com.microsoft", **attributes))


def sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("huge", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("huge_indices", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [10**12]))


def lying_weights(model: onnx.ModelProto) -> None:
    (levels,) = [tensor for tensor in model.graph.initializer if tensor.name == "levels"]
    levels.dims[:] = [10**6, 10**6]


def other_input_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def other_graph(**arguments) -> Change:
    def change(folder: Path) -> None:
        write_graph(folder / "model.onnx", **arguments)
        list_again(folder)

    return change


def second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("door", TensorProto.FLOAT, [1]))


class Opens:
    """Unpickled, it would leave a file."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def many_files(folder: Path) -> None:
    for number in range(10_100):
        (folder / "examples" / str(number)).touch()


def twice(name: str) -> Callable[[str], str]:
    return lambda text: text.replace(f'"{name}":', f'"{name}": 1, "{name}":', 1)


LINKS: dict[str, tuple[Change, str]] = {
    "link to the model elsewhere": (linked("model.onnx", "model.onnx"), "model.onnx is a symbolic link"),
    "link to an example elsewhere": (linked("examples/0.png", "0.png"), "examples/0.png is a symbolic link"),
    "link to the examples elsewhere": (linked("examples", "examples"), "examples is a symbolic link"),
    "link to the manifest elsewhere": (linked("manifest.json", "manifest.json"), "it is a symbolic link"),
    "link to a secret, not listed": (lambda f: (f / "x").symlink_to(f"../{SECRET}"), "x is a symbolic link"),
    "hidden link": (lambda f: (f / ".x").symlink_to("/"), ".x is a symbolic link"),
    "link in a folder": (lambda f: (f / "examples" / "x").symlink_to(".."), "examples/x is a symbolic link"),
    "link to itself": (lambda f: (f / "loop").symlink_to("loop"), "loop is a symbolic link"),
    "link for the bytecode": (lambda f: (f / "__pycache__").symlink_to("/"), "__pycache__ is a symbolic link"),
    "link to nothing": (
        lambda f: ((f / "predict.py").unlink(), (f / "predict.py").symlink_to("nowhere")),
        "predict.py is a symbolic link",
    ),
}
NAMES: dict[str, tuple[Change, str]] = {
    "parent": (listing(f"../{SECRET}"), f"../{SECRET} lies outside the package"),
    "parent further down": (listing(f"examples/../../{SECRET}"), "lies outside the package"),
    "absolute": (listing("/etc/passwd"), "/etc/passwd lies outside the package"),
    "backslash": (listing(f"..\\{SECRET}"), "lies outside the package"),
    "drive": (listing("C:secret"), "C:secret lies outside the package"),
    "network drive": (listing("\\\\host\\share"), "lies outside the package"),
    "stream": (listing("model.onnx:hidden"), "lies outside the package"),
    "nul": (listing("model.onnx\0.txt"), "is no plain name of a file"),
    "newline": (listing("a\nb"), "a b is no plain name of a file"),
    "escape of a terminal": (listing("\x1b[2J"), "is no plain name of a file"),
    "empty": (listing(""), "an empty name is no plain name of a file"),
    "empty part": (listing("examples//0.png"), "is no plain name of a file"),
    "dot": (listing("./model.onnx"), "./model.onnx is no plain name of a file"),
    "folder": (listing("examples/"), "is no plain name of a file"),
    "hidden": (listing(".hidden"), ".hidden is no plain name of a file"),
    "dot at its end": (listing("model.onnx."), "is no plain name of a file"),
    "space at its end": (listing("model.onnx "), "is no plain name of a file"),
    "device": (listing("NUL"), "NUL is no plain name of a file"),
    "device with an ending": (listing("examples/com1.png"), "is no plain name of a file"),
    "letters of two directions": (listing("a\u202egnp.py"), "is no plain name of a file"),
    "not ASCII": (listing("mödel.onnx"), "is no plain name of a file"),
    "very long": (listing("a" * 5000), "is no plain name of a file"),
    "very deep": (listing("/".join("a" * 50)), "is no plain name of a file"),
    "itself": (listing("manifest.json"), "is no plain name of a file"),
    "other case": (listing("Model.onnx"), "Model.onnx and model.onnx are one file on some systems"),
    "file and folder": (listing("model.onnx/x"), "model.onnx/x is missing"),
}
MANIFESTS: dict[str, tuple[Change, str]] = {
    "a key twice": (manifest_text(twice("files")), "a key is there twice"),
    "a file twice": (manifest_text(twice("model.onnx")), "a key is there twice"),
    "NaN": (manifest_text(lambda text: text.replace('"format": 2', '"format": NaN')), "NaN is no number of JSON"),
    "a number that is too large": (
        manifest_text(lambda text: text.replace('"format": 2', '"format": 1e999')),
        "1e999 is no number that can be held",
    ),
    "a number of many digits": (
        manifest_text(lambda text: text.replace('"format": 2', '"format": ' + "9" * 5000)),
        "cannot be read as JSON",
    ),
    "format is true": (manifest_text(lambda text: text.replace('"format": 2', '"format": true')), "has format True"),
    "format is 2.0": (manifest_text(lambda text: text.replace('"format": 2', '"format": 2.0')), "has format 2.0"),
    "half a letter": (lambda f: change_manifest(f, lambda it: it.update(x="\ud800")), "cannot be read as JSON"),
    "nested too deeply": (lambda f: (f / "manifest.json").write_bytes(deep(200_000)), "nested too deeply"),
    "huge": (lambda f: os.truncate(f / "manifest.json", 5 * 1024**2), "has more than 4,194,304 bytes"),
    "name is a list": (lambda f: change_manifest(f, lambda it: it.update(name=["x"])), "has no name that can be used"),
    "name with a newline": (lambda f: change_manifest(f, lambda it: it.update(name="a\nb")), "has no name that"),
    "version is a path": (lambda f: change_manifest(f, lambda it: it.update(version="../1")), "has no version that"),
    "size is text": (entry(bytes="7"), "what it says of model.onnx"),
    "size is true": (entry(bytes=True), "what it says of model.onnx"),
    "size below nothing": (entry(bytes=-1), "what it says of model.onnx"),
    "size beyond all disks": (entry(bytes=10**15), "model.onnx was changed"),
    "digest is a number": (entry(sha256=7), "what it says of model.onnx"),
    "digest is short": (entry(sha256="ab"), "what it says of model.onnx"),
    "digest of another kind": (entry(md5="0" * 32), "what it says of model.onnx"),
    "entry is text": (lambda f: change_manifest(f, lambda it: it["files"].update({"a": "b"})), "what it says of a"),
    "many entries": (
        lambda f: change_manifest(f, lambda it: it["files"].update({f"x{n}": None for n in range(10_001)})),
        "lists more than 10,000 files",
    ),
    "code not listed": (
        lambda f: change_manifest(f, lambda it: it["files"].pop("inputs.py")),
        "does not list inputs.py",
    ),
}
FILES: dict[str, tuple[Change, str]] = {
    "pipe": (special(os.mkfifo, "pipe"), "pipe is no plain file"),
    "pipe for the model": (special(os.mkfifo, "model.onnx", instead=True), "model.onnx is missing, or no plain file"),
    "pipe for the manifest": (special(os.mkfifo, "manifest.json", instead=True), "it is no plain file"),
    "pipe for an example": (special(os.mkfifo, "examples/0.png", instead=True), "examples/0.png is missing, or no"),
    "hidden pipe": (special(os.mkfifo, ".pipe"), ".pipe is no plain file"),
    "socket": (special(listen, "socket"), "socket is no plain file"),
    "folder for the manifest": (
        lambda f: ((f / "manifest.json").unlink(), (f / "manifest.json").mkdir()),
        "it is no plain file",
    ),
    "folder not listed": (lambda f: (f / "numpy").mkdir(), "numpy is not listed"),
    "module not listed": (added("numpy.py", b"raise SystemExit"), "numpy.py is not listed"),
    "module listed": (added("numpy.py", b"raise SystemExit", listed=True), "numpy.py is code or a pickle"),
    "module in a folder": (added("examples/argparse.py", listed=True), "examples/argparse.py is code or a pickle"),
    "bytecode listed": (added("inputs.pyc", listed=True), "inputs.pyc is code or a pickle"),
    "bytecode beside": (added("inputs.pyc"), "inputs.pyc is not listed"),
    "cache listed": (added("__pycache__/predict.cpython-311.pyc", listed=True), "is code or a pickle"),
    "cache of foreign code": (added("__pycache__/numpy.cpython-311.pyc"), "numpy.cpython-311.pyc is not listed"),
    "cache with more in it": (added("__pycache__/evil.so"), "__pycache__/evil.so is not listed"),
    "library listed": (added("inputs.cpython-311.so", listed=True), "is code or a pickle"),
    "path file listed": (added("evil.pth", b"import os", listed=True), "evil.pth is code or a pickle"),
    "pickle listed": (added("weights.pkl", pickle.dumps(Opens()), listed=True), "weights.pkl is code or a pickle"),
    "checkpoint listed": (added("model.ckpt", pickle.dumps(Opens()), listed=True), "model.ckpt is code or a pickle"),
    "pickle for the model": (rewritten("model.onnx", pickle.dumps(Opens())), "no ONNX file that can be trusted"),
    "pickle for the schema": (rewritten("schema.json", pickle.dumps(Opens())), "cannot be read as JSON"),
    "very many files": (many_files, "is not listed in the manifest; and 9"),
    "very many folders": (
        lambda f: (f / "examples" / "/".join("a" * 100)).mkdir(parents=True),
        "examples/a is not listed",
    ),
}
GRAPHS: dict[str, tuple[Change, str]] = {
    "weights outside": (graph(lambda model: outside(model.graph.initializer[0])), "external data"),
    "weights beside the package": (
        graph(lambda model: outside(model.graph.initializer[0], f"../{SECRET}")),
        "external data",
    ),
    "weights at an absolute path": (
        graph(lambda model: outside(model.graph.initializer[0], "/etc/passwd")),
        "external data",
    ),
    "weights in memory": (
        graph(lambda model: outside(model.graph.initializer[0], "*/_ORT_MEM_ADDR_/*")),
        "external data",
    ),
    "a location without the mark": (
        graph(lambda model: model.graph.initializer[0].external_data.add(key="location", value="x")),
        "external data",
    ),
    "weights of an attribute outside": (graph(in_attribute), "external data"),
    "weights of a subgraph outside": (graph(in_subgraph), "external data"),
    "weights of a function outside": (graph(in_function), "external data"),
    "weights in a list of graphs outside": (graph(in_list_of_graphs), "external data"),
    "weights for training outside": (graph(in_training), "external data"),
    "operators of a stranger": (graph(of_domain("evil.example")), "operators of 'evil.example'"),
    "operators of an extension": (graph(of_domain("ai.onnx.contrib")), "operators of 'ai.onnx.contrib'"),
    "operators with a newline": (graph(of_domain("a\nb")), "operators of 'a b'"),
    "a graph compiled elsewhere": (graph(compiled_elsewhere), "EPContext"),
    "sparse weights": (graph(sparse), "sparse weights"),
    "a graph nested too deeply": (graph(deep_graph), "nested too deeply"),
    "weights that are not there": (graph(lying_weights), "cannot be run by onnxruntime"),
    "an empty model": (rewritten("model.onnx", b""), "it is empty"),
    "a model cut short": (rewritten("model.onnx", b"\x3a\xff\xff\xff\x0f\x00"), "it is cut short"),
    "a number without an end": (rewritten("model.onnx", b"\xff" * 40), "it is no protocol buffer"),
    "a model of onnxruntime's own format": (
        rewritten("model.onnx", b"\x20\0\0\0ORTM" + bytes(200)),
        "no ONNX file that can be trusted",
    ),
    "very many empty parts": (rewritten("model.onnx", b"\x08\x00" * 5_100_000), "more than 5,000,000 parts"),
    "an operator that is none": (
        graph(lambda model: model.graph.node.append(helper.make_node("Evil", ["image"], ["unused"]))),
        "cannot be run by onnxruntime",
    ),
    "a second input": (graph(second_input), "is not the model that"),
    "an input of another type": (graph(other_input_type), "is not the model that"),
    "an input of another shape": (other_graph(channels=3), "is not the model that"),
}
SCHEMAS: dict[str, tuple[Change, str]] = {
    "a key of the schema twice": (rewritten("schema.json", b'{"inputs": [], "inputs": []}'), "a key is there twice"),
    "a schema nested too deeply": (rewritten("schema.json", deep(200_000)), "nested too deeply"),
    "code of the standard library": (
        edited("schema.json", lambda it: it["runtime"].update(answers="subprocess")),
        "subprocess is no module of this project",
    ),
    "code named by a list": (edited("schema.json", lambda it: it["runtime"].update(inputs=["os"])), "is no module"),
    "code that is not there": (
        edited("schema.json", lambda it: it["runtime"].update(inputs="stagewise.runtime.nothing")),
        "is not a schema",
    ),
    "a runtime of another type": (edited("schema.json", lambda it: it.update(runtime=7)), "is not a schema"),
    "inputs of another type": (edited("schema.json", lambda it: it.update(inputs="x")), "is not a schema"),
    "a shape of text": (edited("schema.json", lambda it: it["inputs"][0].update(shape="6x4")), "is not the model"),
    "a shape beyond all memory": (
        edited("schema.json", lambda it: it["inputs"][0].update(shape=[10**9, 10**9, 1])),
        "is not the model that",
    ),
    "outputs of another type": (edited("schema.json", lambda it: it.update(outputs=[7])), "is not a schema"),
    "a target of another type": (edited("schema.json", lambda it: it.update(target=None)), "is not a schema"),
    "a schema of numbers": (rewritten("schema.json", b"7"), "is not a schema"),
}


def example(**changes) -> Change:
    return edited("examples/expected.json", lambda it: it.update(changes))


NUMBERS = [1.0, 0.0, 0.0]
EXAMPLES: dict[str, tuple[Change, str]] = {
    "an example outside": (example(outputs={f"../../{SECRET}": NUMBERS}), "is no example of this package"),
    "an example at an absolute path": (example(outputs={"/etc/passwd": NUMBERS}), "is no example of this package"),
    "an example that is the model": (example(outputs={"../model.onnx": NUMBERS}), "is no example of this package"),
    "no examples": (example(outputs={}), "it would hold for any answers"),
    "any answer will do": (example(tolerance=1e9), "it would hold for any answers"),
    "a tolerance of text": (example(tolerance="1"), "is not what a self-test compares with"),
    "a tolerance that is true": (example(tolerance=True), "it would hold for any answers"),
    "numbers of text": (example(outputs={"0.png": ["a"]}), "is not what a self-test compares with"),
    "no numbers": (example(outputs={"0.png": []}), "it lacks numbers"),
    "numbers of another size": (example(outputs={"0.png": [1.0]}), "has 1 numbers for 0.png"),
    "ragged numbers": (example(outputs={"0.png": [[1.0], 2.0]}), "is not what a self-test compares with"),
    "expectations that are a list": (rewritten("examples/expected.json", b"[]"), "is not what a self-test compares"),
    "an example that is no image": (rewritten("examples/0.png", b"<html>"), "0.png: not an image"),
}
"""Refused by the self-test: loading reads no examples."""

PACKAGES = {
    f"{kind}: {name}": case
    for kind, cases in {
        "link": LINKS,
        "name": NAMES,
        "manifest": MANIFESTS,
        "file": FILES,
        "graph": GRAPHS,
        "schema": SCHEMAS,
        "example": EXAMPLES,
    }.items()
    for name, case in cases.items()
}


def make(case: str, good: Path, folder: Path) -> Path:
    """Write a hostile package as the one folder below ``folder``, beside a secret that none may reach."""
    package = Path(shutil.copytree(good, folder / "shades-1.2.3"))
    (folder / SECRET).write_text("do not read")
    np.ones(3, np.float32).tofile(package.parent / "weights.bin")
    PACKAGES[case][0](package)
    return package
