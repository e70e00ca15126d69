"""Packages made to harm: each is refused with one line, and nothing outside of it is opened."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hostile import PACKAGES, make

from stagewise.packaging.predictor import Predictor, main

WATCHED = """\
import json, os, signal, sys
from pathlib import Path
from stagewise.packaging.predictor import Predictor, PredictorError
good, *folders = map(Path, sys.argv[1:])
Predictor.load(good).self_test()
events = []

def watch(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.chdir"):
        if not isinstance(arguments[0], int):  # a descriptor, of what was opened by its path before
            events.append((event, os.fsdecode(arguments[0])))
    elif event.split(".")[0] in ("pickle", "subprocess", "socket", "ctypes"):
        events.append((event, ""))

sys.addaudithook(watch)
found = {}
for folder in folders:
    events.clear()
    signal.alarm(60)  # a package that hangs ends this process
    try:
        Predictor.load(folder).self_test()
        told = None
    except PredictorError as error:
        told = str(error)
    found[str(folder)] = [told, list(events)]
signal.alarm(0)
print(json.dumps(found))
"""


def test_there_are_many() -> None:
    assert len(PACKAGES) >= 60


@pytest.fixture(scope="module")
def watched(packaged, tmp_path_factory) -> dict[str, tuple[Path, str | None, list[tuple[str, str]]]]:
    """What one process, whose file accesses are watched, does with all of them."""
    root = tmp_path_factory.mktemp("hostile")
    folders = {case: make(case, packaged, root / str(number)) for number, case in enumerate(PACKAGES)}
    command = [sys.executable, "-c", WATCHED, packaged, *folders.values()]
    done = subprocess.run([*map(str, command)], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not (root / "unpickled").exists()
    found = json.loads(done.stdout)
    return {case: (folder, *found[str(folder)]) for case, folder in folders.items()}


@pytest.mark.parametrize("case", PACKAGES)
def test_it_is_refused_in_one_line_and_opens_nothing_else(watched, case):
    folder, told, events = watched[case]
    assert told is not None, "it was loaded"
    assert PACKAGES[case][1] in told
    assert len(told.splitlines()) == 1
    assert len(told) < 2000
    assert told.isprintable()
    libraries = [sysconfig.get_paths()[name] for name in ("stdlib", "purelib")] + [
        str(Path(__file__).parents[2] / "src")
    ]
    for event, path in events:
        assert event in ("open", "os.listdir", "os.scandir"), event
        inside = Path(path).is_relative_to(folder) and ".." not in Path(path).parts
        assert inside or any(path.startswith(library) for library in libraries), (event, path)


@pytest.mark.parametrize("case", ["link: link to the model elsewhere", "graph: weights outside", "name: newline"])
def test_the_command_line_refuses_it_too(packaged, tmp_path, capsys, case):
    package = make(case, packaged, tmp_path)
    assert main([str(package / "examples" / "1.png")], package) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert PACKAGES[case][1] in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["inputs", "answers", "integrity"])
def test_a_planted_bytecode_cache_is_not_run(copy, tmp_path, name):
    """Python would take it for the source's without a look at the source: its flags say that it need not be checked."""
    evil = "from pathlib import Path\nPath('planted').touch()\nraise SystemExit('planted')\n"
    code = (
        "import importlib.util, marshal, sys\n"
        f"code = marshal.dumps(compile({evil!r}, 'x', 'exec'))\n"
        "head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, 'little') + bytes(8)\n"
        "open(sys.argv[1], 'wb').write(head + code)\n"
    )
    (copy / "__pycache__").mkdir()
    planted = copy / "__pycache__" / f"{name}.{sys.implementation.cache_tag}.pyc"
    subprocess.run([sys.executable, "-c", code, str(planted)], check=True)
    done = subprocess.run(
        [sys.executable, copy / "predict.py", "--self-test"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "shades 1.2.3: 3 examples as recorded\n"), done.stderr
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("name", ["numpy.py", "argparse.py", "onnxruntime/__init__.py", "json.py"])
def test_a_module_put_beside_the_predictor_is_not_run(copy, tmp_path, name):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("raise SystemExit('planted')")
    done = subprocess.run(
        [sys.executable, copy / "predict.py", "--self-test"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "is not listed in the manifest" in done.stderr
    assert "planted" not in done.stderr


def test_a_trusted_predictor_never_runs_the_code_of_another_package(packaged, copy, tmp_path):
    (copy / "inputs.py").write_text("raise SystemExit('planted')")
    from hostile import list_again

    list_again(copy)
    code = f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {str(packaged)!r})\n"
    code += f"from predict import Predictor\nPredictor.load({str(copy)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "inputs.py" in done.stderr.splitlines()[-1]
    assert "PredictorError" in done.stderr
    assert "planted" not in done.stderr


def test_the_package_itself_may_be_reached_by_a_link(packaged, tmp_path):
    (tmp_path / "link").symlink_to(packaged)
    assert Predictor.load(tmp_path / "link").self_test() == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what nobody may")
def test_a_file_that_may_not_be_read_is_told(copy):
    (copy / "manifest.json").chmod(0)
    with pytest.raises(Exception, match="cannot be read"):
        Predictor.load(copy)
