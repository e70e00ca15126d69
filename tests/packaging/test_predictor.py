import hashlib
import io
import json
import shutil

import numpy as np
import onnx
import pytest
from bundles import CLASSES, probabilities_of, write_graph
from PIL import Image

from stagewise.packaging.predictor import Predictor, PredictorError, main, verify


def grey(shade: int) -> np.ndarray:
    return np.full((6, 4), shade, np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def predictor(packaged) -> Predictor:
    return Predictor.load(packaged)


@pytest.mark.parametrize(("shade", "label"), [(0, "black"), (130, "grey"), (255, "white")])
def test_path_bytes_and_array_give_the_same(predictor, tmp_path, shade, label):
    path = tmp_path / "image.png"
    path.write_bytes(png(grey(shade)))
    answers = [predictor.predict(image)[0] for image in (path, str(path), path.read_bytes(), grey(shade))]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].label == label
    np.testing.assert_allclose(list(answers[0].probabilities.values()), probabilities_of(shade), rtol=1e-5)
    assert answers[0].probability == answers[0].probabilities[label] == max(answers[0].probabilities.values())
    assert list(answers[0].probabilities) == CLASSES


def test_a_list_is_answered_in_order_over_several_batches(predictor):
    shades = np.random.default_rng(0).integers(0, 256, 75)
    answers = predictor.predict([grey(shade) for shade in shades])
    expected = [CLASSES[int(probabilities_of(shade).argmax())] for shade in shades]
    assert [answer.label for answer in answers] == expected
    assert predictor.predict([]) == []


def test_other_sizes_and_modes_are_converted(predictor):
    colour = np.zeros((90, 50, 3), np.uint8)
    colour[..., 0] = 255  # red: 76 as grey
    for image in (colour, png(colour)):
        (answer,) = predictor.predict(image)
        np.testing.assert_allclose(list(answer.probabilities.values()), probabilities_of(76), rtol=1e-4)


def test_the_most_likely_classes(predictor):
    (answer,) = predictor.predict(grey(100))
    assert [label for label, _ in answer.top(2)] == ["grey", "black"]
    assert len(answer.top(9)) == 3


def test_arrays_of_the_models_own_shape(predictor):
    labels, probabilities = predictor.predict_array(np.stack([grey(0), grey(255)])[..., None])
    assert labels.tolist() == [0, 2]
    assert probabilities.shape == (2, 3)
    for wrong in (np.zeros((1, 4, 6, 1), np.uint8), np.zeros((1, 6, 4, 1), np.float32), np.zeros((6, 4), np.uint8)):
        with pytest.raises(PredictorError, match="does not take"):
            predictor.predict_array(wrong)


def test_name_version_and_self_test(predictor):
    assert (predictor.name, predictor.version) == ("shades", "1.2.3")
    assert predictor.schema["target"]["classes"] == CLASSES
    assert predictor.self_test() == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "not an image", id="empty"),
        pytest.param(b"not an image at all", "not an image", id="text"),
        pytest.param(png(grey(9))[:50], "bad.png: ", id="cut short"),
        pytest.param(png(grey(9))[:20] + b"\xff" * 40, "bad.png: ", id="damaged"),
        pytest.param(None, "no such file", id="missing"),
        pytest.param("folder", "cannot be read", id="folder"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(predictor, packaged, tmp_path, capsys, content, message):
    path = tmp_path / "bad.png"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(PredictorError, match=message) as caught:
        predictor.predict(path)
    assert main([str(path)], packaged) == 2
    assert capsys.readouterr() == ("", f"{caught.value}\n")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((2, 2, 7), np.uint8), np.zeros((0, 3), np.uint8)])
def test_an_array_that_is_no_image_is_named_by_its_place(predictor, array):
    with pytest.raises(PredictorError, match="input 1: "):
        predictor.predict([grey(0), array])


class TestCommandLine:
    def test_a_line_per_image(self, packaged, capsys):
        images = [str(packaged / "examples" / f"{number}.png") for number in (0, 2)]
        assert main(images, packaged) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [row[:2] for row in rows] == [[images[0], "black"], [images[1], "white"]]
        assert float(rows[0][2]) == pytest.approx(probabilities_of(3)[0], abs=1e-4)

    def test_the_most_likely_classes(self, packaged, capsys):
        assert main([str(packaged / "examples" / "0.png"), "--top", "2"], packaged) == 0
        assert capsys.readouterr().out.rstrip("\n").split("\t")[1::2] == ["black", "grey"]

    def test_json(self, packaged, capsys):
        assert main([str(packaged / "examples" / "1.png"), "--json", "--top", "3"], packaged) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["label"] == "grey"
        assert list(answer["top"]) == ["grey", "black", "white"]
        assert answer["probability"] == answer["top"]["grey"]

    def test_good_images_are_answered_beside_bad_ones(self, packaged, capsys):
        assert main(["nowhere.png", str(packaged / "examples" / "0.png")], packaged) == 2
        out, err = capsys.readouterr()
        assert out.split("\t")[1] == "black"
        assert err == "nowhere.png: no such file\n"

    def test_self_test(self, packaged, capsys):
        assert main(["--self-test"], packaged) == 0
        assert capsys.readouterr().out == "shades 1.2.3: 3 examples as recorded\n"

    @pytest.mark.parametrize(
        "arguments", [[], ["--top", "0", "x.png"], ["--top", "a", "x.png"], ["--threads", "-1", "x"]]
    )
    def test_wrong_arguments(self, packaged, capsys, arguments):
        with pytest.raises(SystemExit) as caught:
            main(arguments, packaged)
        assert caught.value.code == 2
        assert "usage:" in capsys.readouterr().err


def change_manifest(folder, change) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def sign_again(folder) -> None:
    """Make the manifest fit files that were changed on purpose."""

    def change(manifest):
        for name in manifest["files"]:
            data = (folder / name).read_bytes()
            manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    change_manifest(folder, change)


def flip(folder, name="model.onnx") -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)


def change_schema(folder, change) -> None:
    schema = json.loads((folder / "schema.json").read_text())
    change(schema)
    (folder / "schema.json").write_text(json.dumps(schema))
    sign_again(folder)


def other_model(folder, **arguments) -> None:
    write_graph(folder / "model.onnx", **arguments)
    sign_again(folder)


def rename_output(folder) -> None:
    model = onnx.load(folder / "model.onnx")
    model.graph.output[0].name = model.graph.node[-1].output[0] = "class"
    onnx.save(model, folder / "model.onnx")
    sign_again(folder)


DAMAGES = {
    "no folder": (shutil.rmtree, "is not a package"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "is not a package"),
    "manifest is no JSON": (lambda f: (f / "manifest.json").write_text("{"), "cannot be read as JSON"),
    "manifest is no text": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "cannot be read as JSON"),
    "manifest is a list": (lambda f: (f / "manifest.json").write_text("[]"), "not a manifest"),
    "manifest without files": (lambda f: change_manifest(f, lambda m: m.pop("files")), "not a manifest"),
    "manifest with a list of files": (lambda f: change_manifest(f, lambda m: m.update(files=[])), "not a manifest"),
    "manifest without digests": (
        lambda f: change_manifest(f, lambda m: m["files"]["model.onnx"].pop("sha256")),
        "not a manifest",
    ),
    "manifest of another format": (lambda f: change_manifest(f, lambda m: m.update(format=1)), "has format 1"),
    "manifest without a name": (lambda f: change_manifest(f, lambda m: m.update(name=None)), "has no name"),
    "model not listed": (
        lambda f: change_manifest(f, lambda m: m["files"].pop("model.onnx")),
        "does not list model.onnx",
    ),
    "path outside": (
        lambda f: change_manifest(f, lambda m: m["files"].update({"../x": {"bytes": 1, "sha256": "0"}})),
        "../x lies outside the package",
    ),
    "absolute path": (
        lambda f: change_manifest(f, lambda m: m["files"].update({"/etc/passwd": {"bytes": 1, "sha256": "0"}})),
        "lies outside the package",
    ),
    "a byte of the model": (flip, "model.onnx was changed"),
    "a byte of the schema": (lambda f: flip(f, "schema.json"), "schema.json was changed"),
    "a byte of the predictor": (lambda f: flip(f, "predict.py"), "predict.py was changed"),
    "a byte of the card": (lambda f: flip(f, "README.md"), "README.md was changed"),
    "model cut short": (
        lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:-1]),
        "model.onnx was changed",
    ),
    "model empty": (lambda f: (f / "model.onnx").write_bytes(b""), "model.onnx was changed"),
    "no model": (lambda f: (f / "model.onnx").unlink(), "model.onnx is missing"),
    "no example": (lambda f: (f / "examples" / "1.png").unlink(), "examples/1.png is missing"),
    "a folder for a file": (lambda f: ((f / "inputs.py").unlink(), (f / "inputs.py").mkdir()), "inputs.py is missing"),
    "a file added": (lambda f: (f / "numpy.py").write_text("boo"), "numpy.py is not listed"),
    "a file added below": (lambda f: (f / "examples" / "x.png").write_text("boo"), "examples/x.png is not listed"),
    "a model that is none": (
        lambda f: ((f / "model.onnx").write_bytes(b"boo"), sign_again(f)),
        "is no ONNX file that can be trusted",
    ),
    "a model of more classes": (lambda f: other_model(f, classes=5), "is not the model that"),
    "a model with other outputs": (rename_output, "is not the model that"),
    "a schema of other classes": (
        lambda f: change_schema(f, lambda s: s["target"]["classes"].pop()),
        "is not a schema",
    ),
    "a schema without inputs": (lambda f: change_schema(f, lambda s: s.pop("inputs")), "is not a schema"),
    "a schema of two inputs": (lambda f: change_schema(f, lambda s: s["inputs"].append({})), "is not a schema"),
    "a schema that names foreign code": (
        lambda f: change_schema(f, lambda s: s["runtime"].update(inputs="os")),
        "os is no module of this project",
    ),
    "a schema that is a list": (
        lambda f: ((f / "schema.json").write_text("[]"), sign_again(f)),
        "is not a schema",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_package_is_refused(copy, capsys, damage):
    change, message = DAMAGES[damage]
    change(copy)
    with pytest.raises(PredictorError) as caught:
        Predictor.load(copy)
    assert message in str(caught.value)
    assert main(["image.png"], copy) == 2
    assert capsys.readouterr() == ("", f"{caught.value}\n")
    assert len(str(caught.value).splitlines()) == 1


def test_many_damages_are_counted(copy):
    for path in (copy / "examples").iterdir():
        path.unlink()
    for name in ("model.onnx", "schema.json", "README.md"):
        flip(copy, name)
    with pytest.raises(PredictorError, match="; and 2 more"):
        Predictor.load(copy)


def test_hidden_files_and_bytecode_caches_are_no_damage(copy):
    (copy / ".DS_Store").write_bytes(b"")
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "predict.cpython-311.pyc").write_bytes(b"")
    assert Predictor.load(copy).self_test() == 3
    with pytest.raises(PredictorError, match=r"\.DS_Store is not listed.*; __pycache__ is not listed"):
        verify(copy, strict=True)


def test_a_machine_that_computes_otherwise_fails_the_self_test(copy, capsys):
    path = copy / "examples" / "expected.json"
    expected = json.loads(path.read_text())
    expected["outputs"]["1.png"][0] += 0.021
    path.write_text(json.dumps(expected))
    sign_again(copy)
    with pytest.raises(PredictorError, match=r"examples/1\.png is off by 0\.02"):
        Predictor.load(copy).self_test()
    assert main(["--self-test"], copy) == 2
    assert capsys.readouterr().err.startswith("self-test failed")
