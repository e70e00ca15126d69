"""Configs that try to run something: each is refused, by ``compose`` and by ``build``, and nothing of it is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stagewise.config.compose import compose
from stagewise.config.own_targets import read_own_targets, why_denied
from stagewise.config.resolve import configure
from stagewise.config.schema.base import Target
from stagewise.config.schema.train import TrainSettings
from stagewise.config.stage import StageRun
from stagewise.config.targets import build
from stagewise.errors import ConfigError

# Each with the arguments that would create the canary, had it been called.
HOSTILE = {
    "os.system": {"command": "touch CANARY"},
    "posix.system": {"command": "touch CANARY"},
    "os.popen": {"cmd": "touch CANARY"},
    "os.mkdir": {"path": "CANARY"},
    "os.makedirs": {"name": "CANARY"},
    "os.path.os.system": {"command": "touch CANARY"},
    "builtins.eval": {"source": "open('CANARY', 'w')"},
    "builtins.exec": {"source": "open('CANARY', 'w')"},
    "builtins.compile": {"source": "1", "filename": "x", "mode": "eval"},
    "builtins.__import__": {"name": "canary_module"},
    "builtins.open": {"file": "CANARY", "mode": "w"},
    "builtins.getattr": {},
    "io.open": {"file": "CANARY", "mode": "w"},
    "_io.open": {"file": "CANARY", "mode": "w"},
    "pathlib.Path": {},
    "pathlib.Path.touch": {"self": "CANARY"},
    "shutil.rmtree": {"path": "VICTIM"},
    "shutil.copy": {"src": "VICTIM/file", "dst": "CANARY"},
    "shutil.os.system": {"command": "touch CANARY"},
    "subprocess.Popen": {"args": ["touch", "CANARY"]},
    "subprocess.run": {"args": ["touch", "CANARY"]},
    "subprocess.call": {"args": ["touch", "CANARY"]},
    "subprocess.check_output": {"args": ["touch", "CANARY"]},
    "subprocess.getoutput": {"cmd": "touch CANARY"},
    "importlib.import_module": {"name": "canary_module"},
    "importlib.util.spec_from_file_location": {"name": "x", "location": "canary_module.py"},
    "importlib.machinery.SourceFileLoader": {"fullname": "x", "path": "canary_module.py"},
    "runpy.run_path": {"path_name": "canary_module.py"},
    "runpy.run_module": {"mod_name": "canary_module"},
    "pkgutil.resolve_name": {"name": "os:system"},
    "canary_module.Network": {},
    "pickle.load": {},
    "pickle.loads": {"data": "x"},
    "pickle.Unpickler": {},
    "marshal.loads": {},
    "shelve.open": {"filename": "CANARY"},
    "joblib.load": {"filename": "CANARY"},
    "joblib.dump": {"value": 1, "filename": "CANARY"},
    "numpy.load": {"file": "x.npy", "allow_pickle": True},
    "numpy.save": {"file": "CANARY", "arr": [1]},
    "numpy.memmap": {"filename": "CANARY", "mode": "w+", "shape": [1]},
    "torch.load": {"f": "x.pt", "weights_only": False},
    "torch.save": {"obj": 1, "f": "CANARY"},
    "torch.hub.load": {"repo_or_dir": ".", "model": "x", "source": "local"},
    "torch.jit.load": {"f": "x.pt"},
    "torch.package.PackageImporter": {"file_or_buffer": "x"},
    "torch.utils.cpp_extension.load": {"name": "x", "sources": []},
    "torch.utils.model_zoo.load_url": {"url": "file:///x"},
    "torch.optim.AdamW.__init__": {},
    "torch.optim.Optimizer": {},
    "torch.optim.optimizer.os.system": {"command": "touch CANARY"},
    "functools.partial": {"func": "os.system"},
    "operator.methodcaller": {"name": "touch"},
    "ctypes.CDLL": {"name": "libc.so.6"},
    "socket.socket": {},
    "urllib.request.urlretrieve": {"url": "file:///etc/hostname", "filename": "CANARY"},
    "webbrowser.open": {"url": "file:///x"},
    "logging.FileHandler": {"filename": "CANARY"},
    "logging.config.dictConfig": {"config": {}},
    "hydra.utils.instantiate": {"config": {"_target_": "os.system", "command": "touch CANARY"}},
    "hydra.utils.call": {"config": {"_target_": "os.system"}},
    "hydra.utils.get_method": {"path": "os.system"},
    "omegaconf.OmegaConf.save": {"config": {}, "f": "CANARY"},
    "yaml.unsafe_load": {"stream": "!!python/object/apply:os.system ['touch CANARY']"},
    "stagewise.cli.main": {},
    "stagewise.config.targets.build": {},
    "stagewise.data.storage.SplitWriter": {"path": "CANARY"},
    "stagewise.tasks.weights.save_weights": {"state": {}, "path": "CANARY"},
    "stagewise.tasks.weights.save_file": {"tensors": {}, "filename": "CANARY"},
    "stagewise.data.readers.files.Path": {},
    "stagewise.data.readers.folder.os": {},
    "stagewise.models.cnn.nn.Module": {},
    "stagewise.models.cnn.__builtins__": {},
    "stagewise.models..cnn.CNN": {},
    "stagewise.models.cnn.CNN ": {},
    " stagewise.models.cnn.CNN": {},
    "stagewise.models.cnn.CNN\n": {},
    "stagewise.models.cnn.CNN.__init__.__globals__": {},
    "stagewise.models/../cli.main": {},
    "stagewise.modelsx.cnn.CNN": {},
    "ｏｓ.system": {"command": "touch CANARY"},
    "stаgewise.models.cnn.CNN": {},
    "": {},
}


@pytest.fixture
def trap(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in whose folder something can be created, removed or imported by a config that gets through."""
    (project / "VICTIM").mkdir()
    (project / "VICTIM/file").touch()
    (project / "canary_module.py").write_text("open('CANARY', 'w')\nclass Network: ...\n")
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))
    return project


def assert_untouched(project: Path) -> None:
    assert not (project / "CANARY").exists()
    assert (project / "VICTIM/file").exists()
    assert "canary_module" not in sys.modules


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_build_refuses_hostile_targets(trap: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        build(Target.model_validate({"_target_": name, **HOSTILE[name]}))
    with pytest.raises(ConfigError):
        nested = {"_target_": "stagewise.models.mlp.MLP", "hidden": [{"a": {"_target_": name, **HOSTILE[name]}}]}
        build(Target.model_validate(nested), input_shape=(1, 2, 2), outputs=2)
    assert_untouched(trap)


def test_compose_refuses_hostile_targets_everywhere(trap: Path) -> None:
    """All in one config, since composing takes a third of a second: as elements, nested deep, and as sections."""
    transforms = [{"_target_": name, **arguments} for name, arguments in HOSTILE.items()]
    nested = {"a": [{"b": hostile} for hostile in transforms]}
    write_params(trap, augment={"use": "none", "transforms": transforms}, model={"use": "mlp", "hidden": nested})
    with pytest.raises(ConfigError) as caught:
        compose(trap)
    said = "\n".join(caught.value.details)
    for number, name in enumerate(HOSTILE):
        for key in (f"augment.transforms.{number}", f"model.hidden.a.{number}.b"):
            assert f"{key}._target_: {name!r} may not be named" in said or f"{key}._target_: {name!r} does not" in said
    assert_untouched(trap)


SECTIONS = {
    "data": {"_target_": "os.mkdir", "path": "CANARY"},
    "data.split": {"_target_": "os.mkdir", "path": "CANARY"},
    "data.source.files": [{"_target_": "os.mkdir", "path": "CANARY"}],
    "data.reader": {"_target_": "os.mkdir", "path": "CANARY"},
    "data.feature": {"_target_": "os.mkdir", "path": "CANARY"},
    "augment": {"_target_": "os.mkdir", "path": "CANARY"},
    "task.inference": {"_target_": "os.mkdir", "path": "CANARY"},
    "task.module.class_weights": {"_target_": "os.mkdir", "path": "CANARY"},
    "task.evaluation": {"_target_": "os.mkdir", "path": "CANARY"},
    "optimizer.betas": [{"_target_": "os.mkdir", "path": "CANARY"}],
    "scheduler": {"_target_": "os.mkdir", "path": "CANARY"},
    "trainer": {"_target_": "os.mkdir", "path": "CANARY"},
    "trainer.early_stopping": {"_target_": "os.mkdir", "path": "CANARY"},
    "trainer.loggers": [{"_target_": "os.mkdir", "path": "CANARY"}],
    "evaluate": {"_target_": "os.mkdir", "path": "CANARY"},
    "compress.candidates.fp32": {"_target_": "os.mkdir", "path": "CANARY"},
    "compress.parity": {"_target_": "os.mkdir", "path": "CANARY"},
    "package.authors": [{"_target_": "os.mkdir", "path": "CANARY"}],
}


def test_compose_refuses_a_target_in_every_section(trap: Path) -> None:
    params: dict[str, object] = {}
    for key, value in SECTIONS.items():
        node = params
        *parents, last = key.split(".")
        for part in parents:
            node = node.setdefault(part, {})  # type: ignore[assignment]
        node[last] = {**value, **node.get(last, {})} if isinstance(value, dict) else value  # type: ignore[dict-item]
    write_params(trap, **params)
    with pytest.raises(ConfigError) as caught:
        compose(trap)
    said = "\n".join(caught.value.details)
    for key, value in SECTIONS.items():
        place = f"{key}.0" if isinstance(value, list) else key
        assert f"{place}._target_: 'os.mkdir' may not be named by a config" in said
    assert_untouched(trap)


TRICKS = [
    (["optimizer._target_=${package.description}", "package.description=os.system"], "must be written out"),
    (["optimizer._target_='os.${name}'", "name=system"], "must be written out"),
    (["augment.transforms=${data.classes}", "data.classes=[{_target_: os.system}]"], "'os.system' may not be named"),
    (["package.description=${oc.env:HOME}"], "${oc.env:...} is not allowed"),
    (["package.description='${${name}:HOME}'", "name=oc.env"], "is not allowed"),
    (["package.description='${oc.create:{_target_:os.system}}'"], "${oc.create:...} is not allowed"),
    (["package.description=${oc.decode:x}"], "${oc.decode:...} is not allowed"),
    (["package.description=${hydra:runtime.cwd}"], "${hydra:...} is not allowed"),
    (["package.description=${now:%Y}"], "${now:...} is not allowed"),
    (["+model._partial_=true"], "model._partial_: is Hydra's own"),
    (["+model._args_=[1]"], "model._args_: is Hydra's own"),
    (["+model._convert_=all"], "model._convert_: is Hydra's own"),
    (["+model._recursive_=false"], "model._recursive_: is Hydra's own"),
    (["+data.split._partial_=true"], "data.split._partial_: unknown key"),
    (["hydra.job_logging.handlers.file.filename=CANARY"], "Hydra itself is not configured"),
    (["hydra.callbacks.x._target_=os.system"], "Hydra itself is not configured"),
    (["hydra/job_logging=custom"], "Hydra itself is not configured"),
    (["+hydra.searchpath=[file:///tmp]"], "Hydra itself is not configured"),
    (["optimizer._target_=[os.system]"], "should be a valid string"),
    (["optimizer._target_={_target_: os.system}"], "'os.system' may not be named"),
    (["optimizer._target_=null"], "may not be named by a config"),
    (["model=../../etc/x"], "there is no conf/model/../../etc/x.yaml"),
    (["'model=../optimizer/sgd'"], "is not an override"),
    (["trainer.init_from=/tmp/model.pt"], "is no local .safetensors file"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "message"), TRICKS, ids=[trick[0][0] for trick in TRICKS])
def test_compose_refuses_tricks(trap: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(trap, overrides)
    assert message in str(caught.value)
    assert_untouched(trap)


@pytest.mark.parametrize("special", ["_partial_", "_args_", "_convert_", "_recursive_"])
def test_build_refuses_the_keys_of_hydra(special: str) -> None:
    with pytest.raises(ConfigError, match=f"{special} is not allowed"):
        build(Target.model_validate({"_target_": "stagewise.data.augment.flip.Flip", special: True}))


def test_environment_variables_widen_nothing(trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STAGEWISE_TARGETS", "STAGEWISE_ALLOWLIST", "HYDRA_ALLOWLIST", "HYDRA_INSTANTIATE_ALLOWLIST_OVERRIDE"):
        monkeypatch.setenv(name, "os.system:os.*:*")
    with pytest.raises(ConfigError, match="may not be named"):
        compose(trap, ["optimizer._target_=os.system"])
    with pytest.raises(ConfigError, match="is not allowed"):
        build(Target.model_validate({"_target_": "os.system", "command": "touch CANARY"}))
    assert_untouched(trap)


def test_a_stage_refuses_a_file_of_build_that_was_edited_by_hand(trap: Path) -> None:
    file = configure(trap)["train"]
    entry = yaml.safe_load(file.read_text())
    entry["config"]["model"] = {"_target_": "os.mkdir", "path": "CANARY"}
    file.write_text(yaml.safe_dump(entry))
    settings = StageRun("train", trap).settings(TrainSettings)
    with pytest.raises(ConfigError, match="is not allowed"):
        build(settings.model)
    assert_untouched(trap)


@pytest.mark.parametrize(
    "entry",
    [
        "os.system", "os.*", "posix.*", "builtins.*", "subprocess.*", "importlib.*", "pickle.*", "joblib.*", "sys.modules",
        "shutil.*", "ctypes.*", "torch.load", "torch.*", "torch.hub.*", "torch.jit.load", "torch.serialization.*",
        "numpy.*", "hydra.*", "yaml.*", "stagewise.*", "stagewise.config.targets.build", "*", "*.*", ".*", "", "mypackage",
        "my package.*", "mypackage._private.*", "mypackage.*.nets", "mypackage.*\n", "ｏｓ.*", "pytorch_lightning.*",
    ],
)  # fmt: skip
def test_the_own_list_opens_nothing_dangerous(tmp_path: Path, entry: str) -> None:
    assert why_denied(entry)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/targets.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(ConfigError, match=r"conf/targets\.yaml opens what must stay closed"):
        read_own_targets(tmp_path)


@pytest.mark.parametrize(
    "entry", ["mypackage.*", "mypackage.nets.Mine", "timm.models.*", "torch.nn.Linear", "torch.optim.*"]
)
def test_the_own_list_opens_packages_and_classes(tmp_path: Path, entry: str) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/targets.yaml").write_text(f"- {entry}\n")
    assert read_own_targets(tmp_path) == (entry,)


def test_an_own_module_does_not_lend_its_name_to_others(trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lent = "from os import mkdir\nfrom subprocess import Popen\nimport functools\nmaker = functools.partial(mkdir)\n"
    (trap / "lender.py").write_text(lent)
    (trap / "conf/targets.yaml").write_text("- lender.*\n")
    for name, arguments in {"mkdir": {"path": "CANARY"}, "Popen": {"args": ["touch", "CANARY"]}, "maker": {}}.items():
        with pytest.raises(ConfigError, match="is not allowed"):
            build(Target.model_validate({"_target_": f"lender.{name}", **arguments}))
    monkeypatch.delitem(sys.modules, "lender")
    assert_untouched(trap)


NETWORK = '''
"""A network of this project's own."""

from typing import Annotated

from annotated_types import Gt
from torch import nn


class Mine(nn.Module):
    """One hidden layer."""

    def __init__(self, input_shape, outputs, *, width: Annotated[int, Gt(0)] = 8):
        super().__init__()
        channels, height, columns = input_shape
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * height * columns, width), nn.ReLU(), nn.Linear(width, outputs)
        )

    def forward(self, x):
        return self.layers(x)
'''


def test_a_network_of_the_users_own(project: Path) -> None:
    library = (project / "src").resolve()
    (project / "src").unlink()
    (project / "src/myproject").mkdir(parents=True)
    (project / "src/stagewise").symlink_to(library / "stagewise")
    (project / "src/myproject/__init__.py").touch()
    (project / "src/myproject/nets.py").write_text(NETWORK)
    (project / "conf/model/mine.yaml").write_text("# Mine.\n_target_: myproject.nets.Mine\nwidth: 16\n")
    refused = run(project, "-m", "stagewise", "configure", "model=mine")
    assert refused.returncode == 2
    assert "'myproject.nets.Mine' may not be named by a config (conf/model/mine.yaml:2)" in refused.stderr
    assert "add your own to conf/targets.yaml" in refused.stderr

    (project / "conf/targets.yaml").write_text("- myproject.nets.*\n")
    wrong = run(project, "-m", "stagewise", "configure", "model=mine", "model.width=0")
    assert "model.width: should be greater than 0, not 0" in wrong.stderr

    accepted = run(project, "-m", "stagewise", "configure", "model=mine")
    assert accepted.returncode == 0, accepted.stderr
    entry = yaml.safe_load((project / "build/train.yaml").read_text())
    assert "src/myproject/nets.py" in entry["code"]
    assert "src/myproject/nets.py" not in yaml.safe_load((project / "build/ingest.yaml").read_text())["code"]
    built = run(
        project,
        "-c",
        "import yaml; from stagewise.config.schema.base import Target; from stagewise.config.targets import build\n"
        "model = yaml.safe_load(open('build/train.yaml'))['config']['model']\n"
        "print(build(Target.model_validate(model), input_shape=(1, 8, 8), outputs=10).layers[1])",
    )
    assert "in_features=64, out_features=16" in built.stdout, built.stderr


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(project / "src")}
    return subprocess.run(
        [sys.executable, *command], cwd=project, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


def write_params(project: Path, **sections: object) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    for name, value in sections.items():
        params[name] = (
            {"use": params[name], **value} if isinstance(params.get(name), str) and isinstance(value, dict) else value
        )  # type: ignore[dict-item]
    (project / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True))
