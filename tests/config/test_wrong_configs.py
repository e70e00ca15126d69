"""What is said about wrong configs: a table of mistakes and the words, file and line that each is told with."""

from pathlib import Path

import pytest

from stagewise.config.compose import compose
from stagewise.errors import ConfigError

OVERRIDES = [
    # sections and keys
    (["modle=cnn"], "modle: unknown section (command line (modle=cnn)); did you mean model"),
    (["trainer.max_epoch=3"], "trainer.max_epoch: unknown key (command line (trainer.max_epoch=3)); did you mean max_epochs"),
    (["trainer.early_stopping={patence: 3}"], "trainer.early_stopping.patence: unknown key (command line"),
    (["package.licence=mit"], "package.licence: unknown key (command line (package.licence=mit)); did you mean license"),
    (["data.source.files=[{name: a.gz}]"], "data.source.files.0.urls: required, but nowhere set (command line"),
    (["trainer=3"], "trainer: must be a word (a file of conf/trainer/) or a mapping, not 3"),
    (["trainer=[a]"], 'trainer: must be a word (a file of conf/trainer/) or a mapping, not ["a"]'),
    # choices
    (["model=resnett"], "model: there is no conf/model/resnett.yaml (command line (model=resnett)); did you mean resnet"),
    (["model={use: 3}"], "model: there is no conf/model/3.yaml"),
    (["data=???"], "data: no file of this group is chosen (command line (data=???)); valid: adult, air_passengers"),
    (["hydra.run.dir=/tmp"], "hydra.run.dir: Hydra itself is not configured here"),
    (["hydra/launcher=joblib"], "hydra/launcher: Hydra itself is not configured here"),
    (["model@other=cnn"], "model@other: a group cannot be put into another package"),
    # types
    (["trainer.max_epochs=2.5"], "trainer.max_epochs: should be a valid integer, not 2.5"),
    (["trainer.max_epochs='3'"], 'trainer.max_epochs: should be a valid integer, not "3"'),
    (["trainer.precision=16"], "trainer.precision: should be '32-true', '16-mixed'"),
    (["trainer.devices=x"], "trainer.devices: should be a valid integer or should be 'auto' or should be a valid array"),
    (["trainer.devices=[0,-1]"], "trainer.devices.1: should be greater than or equal to 0, not -1"),
    (["trainer.loggers=[csv,wandb]"], "trainer.loggers.1: should be 'csv', 'tensorboard' or 'mlflow', not \"wandb\""),
    (["trainer.batch_size=null"], "trainer.batch_size: should be a valid integer, not null"),
    (["version=1.0"], "version: should be a valid string, not 1.0"),
    (["version=one"], "version: String should match pattern"),
    (["name='My Model'"], "name: String should match pattern"),
    (["data.source.files=[{name: ../a, urls: [x]}]"], "data.source.files.0.name: String should match pattern"),
    (["data.checks.leakage=ignore"], "data.checks.leakage: should be 'fail', 'drop' or 'warn', not \"ignore\""),
    # ranges
    (["trainer.max_epochs=0"], "trainer.max_epochs: should be greater than 0, not 0 (command line (trainer.max_epochs=0))"),
    (["trainer.ema_decay=1.0"], "trainer.ema_decay: should be less than 1, not 1.0"),
    (["seed=-1"], "seed: should be greater than or equal to 0, not -1"),
    (["threads=0"], "threads: should be greater than 0"),
    (["data.split.test=1.5"], "data.split.test: should be less than 1, not 1.5"),
    (["compress.max_drop=-1"], "compress.max_drop: should be greater than or equal to 0"),
    (["compress.calibration_samples=0"], "compress.calibration_samples: should be greater than 0"),
    (["evaluate.folds=-1"], "evaluate.folds: should be greater than or equal to 0"),
    # targets: names, roles, arguments
    (["optimizer._target_=os.system"], "optimizer._target_: 'os.system' may not be named by a config"),
    (["model._target_=stagewise.models.nope.Net"], "model._target_: 'stagewise.models.nope.Net' does not exist"),
    (["model._target_=torch.optim.SGD"], "model._target_: torch.optim.SGD is no network: it does not take input_shape, outputs"),
    (["augment.transforms=[{_target_: torch.optim.SGD}]"], "torch.optim.SGD is no transform: those lie below stagewise.data.augment"),
    (["task.inference._target_=stagewise.tasks.weights.save_weights"], "'stagewise.tasks.weights.save_weights' does not exist"),
    (["model.chanels=[8]"], "model.chanels: stagewise.models.cnn.CNN has no argument of this name (command line (model.chanels=[8])); did you mean channels"),
    (["optimizer.lrr=1"], "optimizer.lrr: torch.optim.AdamW has no argument of this name (command line (optimizer.lrr=1)); did you mean lr"),
    (["model.outputs=3"], "model.outputs: is given to a network by the pipeline, not by a config"),
    (["data.reader.root=/etc"], "data.reader.root: is given to a reader by the pipeline, not by a config"),
    (["~trainer.max_epochs"], "~trainer.max_epochs deletes a key that params.yaml does not have"),
    (["data={use: digits, feature: {_target_: stagewise.data.features.image.ImageFeature, size: [8]}}"], "data.feature.size: Value should have at least 2 items"),
    (["data.reader={_target_: stagewise.data.readers.idx.IdxReader}"], "data.reader.images: stagewise.data.readers.idx.IdxReader requires it, but it is nowhere set"),
    # targets: values
    (["model.dropout=1.0"], "model.dropout: should be less than 1, not 1.0"),
    (["model.channels=[8,0]"], "model.channels.1: should be greater than 0, not 0"),
    (["model.channels=8"], "model.channels: should be a valid array, not 8"),
    (["model.hidden=12.5"], "model.hidden: should be a valid integer"),
    (["model.batch_norm=1"], "model.batch_norm: should be a valid boolean, not 1"),
    (["model.activation=rellu"], "model.activation: should be 'relu', 'gelu', 'silu' or 'tanh', not \"rellu\""),
    (["model={use: rnn, cell: rnn}"], "model.cell: should be 'lstm' or 'gru', not \"rnn\""),
    (["optimizer.lr=0"], "optimizer.lr: should be greater than 0, not 0"),
    (["optimizer.lr=fast"], 'optimizer.lr: should be a valid number, not "fast"'),
    (["optimizer.lr=inf"], "optimizer.lr: should be a finite number"),
    (["optimizer.betas=[0.9,1.0]"], "optimizer.betas.1: should be less than 1, not 1.0"),
    (["optimizer.betas=[0.9]"], "optimizer.betas.1: required, but nowhere set"),
    (["optimizer={use: sgd, momentum: -0.1}"], "optimizer.momentum: should be greater than or equal to 0, not -0.1"),
    (["optimizer.fused=yes_please"], "optimizer.fused: should be a valid boolean"),
    (["scheduler={use: step, gamma: 1.5}"], "scheduler.gamma: should be less than or equal to 1, not 1.5"),
    (["augment.transforms=[{_target_: stagewise.data.augment.shift.Shift, p: 2}]"], "augment.transforms.0.p: should be less than or equal to 1, not 2"),
    (["task.module.class_weights=[1.0,-1.0]"], "task.module.class_weights.1: should be greater than 0, not -1.0"),
    (["data.feature.channels=2"], "data.feature.channels: should be 1 or 3, not 2"),
    (["data.feature.resize=cubic"], "data.feature.resize: should be 'bilinear', 'nearest', 'bicubic', 'lanczos' or 'area'"),
    # interpolation
    (["optimizer.lr=${nothing}"], "optimizer.lr: ${nothing} leads nowhere: there is no 'nothing' (command line"),
    (["trainer.max_epochs=${data.recipe.max_epoch}"], "there is no 'data.recipe.max_epoch' (command line (trainer.max_epochs=${data.recipe.max_epoch})); did you mean data.recipe.max_epochs"),
    (["seed=${threads}", "threads=${seed}"], "seed: ${threads} leads back to itself (command line (seed=${threads}))"),
    (["trainer.max_epochs=???"], "trainer.max_epochs: must be given: ???"),
    (["package.description=${oc.env:HOME}"], "package.description: ${oc.env:...} is not allowed: a config holds values"),
    # contradictions
    (["trainer.monitor=val_acc"], "trainer.monitor: 'val_acc' is not computed by the task (command line (trainer.monitor=val_acc)); did you mean val_accuracy"),
    (["trainer.monitor=val_accuracy"], "trainer.mode: val_accuracy is better when it is maximal, not minimal (conf/trainer/default.yaml:"),
    (["data.split.validation=0"], "trainer.monitor: val_loss needs validation rows, but data.split.validation is 0"),
    (["data.split.test=0"], "data.split.test: is 0 and the data publishes no test rows"),
    (["scheduler={use: plateau, monitor: loss}"], "scheduler.monitor: 'loss' is not computed by the task"),
    (["scheduler=plateau", "trainer.early_stopping={patience: 2}"], "trainer.early_stopping.patience: 2 is not more than scheduler.patience (2)"),
    (["scheduler={use: cosine, warmup_epochs: 40}"], "scheduler.warmup_epochs: a warm-up of 40 epochs leaves none of trainer.max_epochs (40)"),
    (["trainer={use: ddp, batch_size: 63}"], "trainer.batch_size: 63 rows cannot be shared equally by 2 processes"),
    (["trainer.devices=[0,0]"], "trainer.devices: [0, 0] names a device twice"),
    (["trainer={use: default, accelerator: cpu, precision: 16-mixed}"], "trainer.precision: 16-mixed needs a GPU, but trainer.accelerator is cpu"),
    (["trainer.init_from=model.ckpt"], "trainer.init_from: 'model.ckpt' is no local .safetensors file"),
    (["trainer.init_from='https://x.org/a.safetensors'"], "is no local .safetensors file"),
    (["augment={use: mixup, offline_copies: 1}"], "augment.transforms.3: Mixup mixes labels, which cannot be written"),
    (["augment={use: none, offline_copies: 1}"], "augment.offline_copies: there are no transforms to make copies with"),
    (["augment.transforms=[{_target_: stagewise.data.augment.erase.Erase, low: 0.5, high: 0.2}]"], "augment.transforms.0.low: 0.5 is more than high (0.2)"),
    (["model={use: vit, patch: 3}"], "model.patch: an image of 8x8 does not divide into patches of 3x3"),
    (["model={use: vit, heads: 5}"], "model.dim: 64 is no multiple of heads (5)"),
    (["optimizer={use: sgd, momentum: 0.0}"], "optimizer.nesterov: needs a momentum above 0"),
    (["task.module.class_weights=[1.0,2.0]"], "task.module.class_weights: 2 weights for 10 classes (data.classes)"),
    (["evaluate.top_k=[1,10]"], "evaluate.top_k.1: with 10 classes (data.classes) the right one is always among the 10"),
    (["evaluate.top_k=[3,3]"], "evaluate.top_k: [3, 3] names a number twice"),
    (["evaluate.folds=1"], "evaluate.folds: 1 fold leaves no rows to train on"),
    (["compress.calibration_samples=5"], "compress.calibration_samples: 5 rows calibrate int8_static on fewer rows than there are classes (10)"),
    (["data.source.path=data/own/x"], "data.source: has both path and files: give one of them"),
    (["data.source.files=[]"], "data.source: has neither path nor files"),
    (["data.source.files=[{name: digits.csv.gz, urls: ['https://x.org/a']}]"], "data.source.files.0.sha256: is required for a file from elsewhere"),
    (["data.source.files=[{name: digits.csv.gz, urls: []}]"], "data.source.files.0.urls: names no place to fetch the file from"),
    (["data.source.files=[{name: a, urls: [x]},{name: a, urls: [y]}]"], "data.source.files.0.name: 'a' is the name of 2 files"),
    (["data.reader.file=digits.csv"], "data.reader.file: 'digits.csv' is not among data.source.files (command line (data.reader.file=digits.csv)); did you mean digits.csv.gz"),
    (["data={use: own_idx, reader: {images: {tran: x}}}"], "data.reader.images.tran: 'tran' is no split"),
    (["data={use: own_idx, reader: {images: {validation: x}}}"], "data.reader.labels: has test, train, but images has test, train, validation"),
    (["data.classes=[a]"], "data.classes: 1 class leaves nothing to tell apart"),
    (["data.classes=[a,b,a]"], "data.classes: 'a' is named 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "message"), OVERRIDES, ids=[" ".join(wrong[0]) for wrong in OVERRIDES])
def test_a_wrong_override_is_named_with_its_cause(project: Path, overrides: list[str], message: str) -> None:
    assert message in mistakes_of(project, overrides)


FILES = [
    # file, what is replaced, by what, the message with {line} for the line of the replacement
    ("params.yaml", "seed: 0", "seed: zero", 'seed: should be a valid integer, not "zero" (params.yaml:{line})'),
    ("params.yaml", "seed: 0", "seed: 0\n\tthreads: 2", "params.yaml is not valid YAML\n  where: params.yaml:"),
    ("params.yaml", "threads: 2", "threads: 2\nseed: 1", "params.yaml: has the key seed twice; the first is on line"),
    ("params.yaml", "model: cnn", "modell: cnn", "modell: unknown section (params.yaml:{line}); did you mean model"),
    ("params.yaml", "model: cnn", "model: cn", "model: there is no conf/model/cn.yaml (params.yaml:{line}); did you mean cnn"),
    ("params.yaml", "model: cnn", "model: 2", "model: must be a word (a file of conf/model/) or a mapping, not 2 (params.yaml:{line})"),
    ("params.yaml", "version: 0.1.0", "version: 2026-01-01", "params.yaml: holds a YAML timestamp, which a config has no use for (params.yaml:{line})"),
    ("params.yaml", "lr: 0.005", "lr: -1", "optimizer.lr: should be greater than 0, not -1 (params.yaml:{line})"),
    ("conf/model/cnn.yaml", "hidden: 128", "hiden: 128", "model.hiden: stagewise.models.cnn.CNN has no argument of this name (conf/model/cnn.yaml:{line}); did you mean hidden"),
    ("conf/model/cnn.yaml", "hidden: 128", "hidden: 0", "model.hidden: should be greater than 0, not 0 (conf/model/cnn.yaml:{line})"),
    ("conf/model/cnn.yaml", "hidden: 128", "\thidden: 128", "conf/model/cnn.yaml: is not valid YAML: found character '\\t' that cannot start any token (conf/model/cnn.yaml:{line}); indent with spaces"),
    ("conf/model/cnn.yaml", "hidden: 128", "kernel: 5", "conf/model/cnn.yaml: has the key kernel twice; the first is on line {line}"),
    ("conf/model/cnn.yaml", "hidden: 128", "hidden: ${b", "conf/model/cnn.yaml: '${b"),
    ("conf/model/cnn.yaml", "hidden: 128", "hidden: ${oc.env:HOME}", "model.hidden: ${oc.env:...} is not allowed: a config holds values, and reads neither the environment nor a clock (conf/model/cnn.yaml:{line})"),
    ("conf/model/cnn.yaml", "hidden: 128", "hidden: ???", "model.hidden: must be given: ??? stands for a value that the user has to choose (conf/model/cnn.yaml:{line})"),
    ("conf/model/cnn.yaml", "hidden: 128", "hidden: !!python/name:os.system", "conf/model/cnn.yaml: holds a YAML "),
    ("conf/model/cnn.yaml", "hidden: 128", "defaults: [/model/mlp]", "conf/model/cnn.yaml: may build on other files of conf/model/ only (conf/model/cnn.yaml:{line})"),
    ("conf/model/cnn.yaml", "hidden: 128", "# @package _global_", "conf/model/cnn.yaml: moves the file's content with @package; a file of conf/<group>/ is the section <group> (conf/model/cnn.yaml:{line})"),
    ("conf/trainer/default.yaml", "progress: true", "progres: true", "trainer.progres: unknown key (conf/trainer/default.yaml:{line}); did you mean progress"),
    ("conf/config.yaml", "- model: cnn", "- modell: cnn", "modell: there is no group conf/modell/ (conf/config.yaml:{line}); did you mean model"),
    ("conf/config.yaml", "- package: default", "- package: defaul", "package: there is no conf/package/defaul.yaml (conf/config.yaml:{line}); did you mean default"),
    ("conf/config.yaml", "- package: default", "- package: ${oc.env:HOME}", "package: the choice must be written out, not interpolated (conf/config.yaml:{line})"),
    ("conf/config.yaml", "- package: default", "- override hydra/launcher: joblib", "it only composes, it runs and logs nothing (conf/config.yaml:{line})"),
    ("conf/config.yaml", "- package: default", "- model: mlp", "model: is chosen twice (conf/config.yaml:{line})"),
    ("conf/config.yaml", "- package: default", "- other", "an entry of defaults must be `- group: choice` or `- _self_` (conf/config.yaml:{line})"),
    ("conf/config.yaml", "  - package: default\n", "", "package: no file of this group is chosen"),
    ("conf/config.yaml", "defaults:", "hydra: {job: {chdir: true}}\ndefaults:", "hydra: Hydra itself is not configured here: it only composes, it runs and logs nothing (conf/config.yaml:{line})"),
    ("conf/evaluate/default.yaml", "folds: 0", "folds: 1", "evaluate.folds: 1 fold leaves no rows to train on; 0 leaves it out, 5 or 10 is usual (conf/evaluate/default.yaml:{line})"),
    ("conf/compress/int8.yaml", "  fp32:", "  fp23:", "compress.candidates: fp32, with which the others are compared, is missing (conf/compress/int8.yaml:"),
    ("conf/targets.yaml", "[]", "- os.system", "'os.system': os can not be opened to configs: it can run commands, or read and write any file (conf/targets.yaml:{line})"),
    ("conf/targets.yaml", "[]", "a: b", "conf/targets.yaml must be a list of dotted names"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "message"), FILES, ids=[f"{w[0]}: {w[2]}" for w in FILES])
def test_a_mistake_in_a_file_is_named_with_its_line(project: Path, file: str, old: str, new: str, message: str) -> None:
    text = (project / file).read_text()
    assert old in text
    start = text.rindex(old)
    (project / file).write_text(text[:start] + new + text[start + len(old) :])
    line = text[:start].count("\n") + 1
    assert message.replace("{line}", str(line)) in mistakes_of(project)


def test_a_file_that_is_no_mapping_is_refused(project: Path) -> None:
    (project / "conf/model/list.yaml").write_text("- a\n- b\n")
    assert "conf/model/list.yaml: must be a mapping of keys to values (conf/model/list.yaml:1)" in mistakes_of(
        project, ["model=list"]
    )


def test_all_mistakes_are_reported_at_once(project: Path) -> None:
    wrong = ["model=nope", "seed=-1", "optimizer.lr=${nope}", "trainer.max_epoch=3", "evaluate.folds=1", "hydra.x=1"]
    with pytest.raises(ConfigError) as caught:
        compose(project, [*wrong, "augment.transforms=[{_target_: os.system}]"])
    keys = [detail.partition(":")[0] for detail in caught.value.details]
    assert sorted(keys) == [
        "augment.transforms.0._target_", "evaluate.folds", "hydra.x", "model", "optimizer.lr", "seed", "trainer.max_epoch",
    ]  # fmt: skip
    assert "7 mistakes" in caught.value.what


def test_a_network_gets_the_kind_of_input_that_it_takes(project: Path) -> None:
    own_sources(
        project, "texts", 'class Text:\n    kind = gives = "text"\n\n    def __init__(self, length: int = 3): ...\n'
    )
    feature = "data={use: digits, feature: null}"
    (project / "conf/targets.yaml").write_text("- texts.Text\n")
    file = project / "conf/data/digits.yaml"
    text = file.read_text()
    start, end = text.index("feature:"), text.index("classes:")
    file.write_text(f"{text[:start]}feature: {{_target_: texts.Text}}\n{text[end:]}")
    assert "model._target_: stagewise.models.cnn.CNN takes image inputs, but data.feature gives text" in mistakes_of(
        project
    )
    assert "data.feature: should be an object, not null" in mistakes_of(project, [feature])


def own_sources(project: Path, module: str, text: str) -> None:
    """Give a project a module of its own beside the library."""
    library = (project / "src").resolve()
    (project / "src").unlink()
    (project / "src").mkdir()
    (project / "src/stagewise").symlink_to(library / "stagewise")
    (project / f"src/{module}.py").write_text(text)


def mistakes_of(project: Path, overrides: list[str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        compose(project, overrides or [])
    return str(caught.value)
