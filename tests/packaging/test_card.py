"""README.md of a package, read by the library of the Hugging Face hub and by eye."""

import json
import warnings

import pytest
import yaml
from bundles import CANDIDATES, METRICS, write_json


@pytest.fixture(scope="module")
def text(packaged) -> str:
    return (packaged / "README.md").read_text()


def test_the_hub_reads_its_front_matter(packaged):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from huggingface_hub import ModelCard
    data = ModelCard.load(packaged / "README.md").data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "onnx", "image-classification")
    (result,) = data.eval_results
    assert (result.task_type, result.dataset_name, result.dataset_split) == ("image-classification", "shades", "test")
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.975)
    assert result.metric_name == "accuracy (95 % interval 87.10% to 99.56%)"
    assert data.model_name == "shades"


def test_the_front_matter_survives_the_hubs_own_reading_and_writing(packaged):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from huggingface_hub import ModelCard
    card = ModelCard.load(packaged / "README.md")
    again = ModelCard(str(card)).data.to_dict()
    front = yaml.safe_load((packaged / "README.md").read_text().split("---\n", 2)[1])
    assert {key: again[key] for key in ("license", "tags", "datasets", "metrics", "pipeline_tag")} == {
        key: front[key] for key in ("license", "tags", "datasets", "metrics", "pipeline_tag")
    }


@pytest.mark.parametrize(
    "line",
    [
        "# shades 1.2.3",
        "Authors: Ada.",
        "shades; licence: CC0-1.0.",
        "Cite as: A. Painter, Fifty shades (1899)",
        f"| shades.zip | 7 | {'c' * 64} | https://example.org/shades.zip |",
        "| figure | value | 95 % interval |",
        "| accuracy | 97.50% | 87.10% to 99.56% |",
        "| F1 macro | 97.31% |  |",
        "| class | rows | recall | F1 | AUROC |",
        "| black | 10 | 100.00% (72.00% to 100.00%) | 100.00% |  |",
        "| grey | 20 | 95.00% (76.00% to 99.00%) | 95.00% | 0.9 |",
        "| white | 10 | 100.00% (72.00% to 100.00%) |  | 1 |",
        "| candidate | bytes | accuracy | drop | agreement | verdict |",
        "| int8_static | 1,200 | 0.9667 | +0.0033 | 0.9900 | chosen: smallest |",
        "- int8_static: worst class: grey; worst class drop: 0.0033",
        "pip install -r requirements.txt",
        "pip install shades-1.2.3-py3-none-any.whl",
        "import shades",
    ],
)
def test_what_the_card_says(text, line):
    assert line in text.splitlines()


def test_a_figure_of_one_class_is_told_once(text):
    assert "F1 grey" not in text


def test_what_the_authors_say_reaches_the_card(inputs, tmp_path):
    changes = {"description": "Tells shades apart.", "intended_use": "Galleries.", "license": "mit", "authors": []}
    text = (inputs.package(tmp_path / "package", **changes) / "README.md").read_text()
    assert "Tells shades apart." in text
    assert "## Intended use\n\nGalleries." in text
    assert "license: mit" in text
    assert "Authors" not in text
    assert "Not for diagnosis." in text


@pytest.mark.parametrize(
    ("license_", "lines"),
    [("MIT", ["license: mit"]), ("ask Ada (by post)", ["license: other", "license_name: ask Ada (by post)"])],
)
def test_licences_as_the_hub_names_them(inputs, tmp_path, license_, lines):
    text = (inputs.package(tmp_path / "package", license=license_) / "README.md").read_text()
    assert text.splitlines()[1 : 1 + len(lines)] == lines
    assert f"Licence of the model: {license_}." in text


def test_candidates_with_all_that_compression_records(own_inputs, tmp_path):
    item = CANDIDATES["candidates"]["int8_static"] | {
        "drop_low": -0.01,
        "drop_high": 0.012,
        "compressed_bytes": 1100,
        "made": [{"step": "Prune"}, {"step": "Int8Static", "kept_float": ["/conv1|a"], "sqnr_db": {"/conv1|a": 12.5}}],
    }
    content = CANDIDATES | {
        "objective": "bytes",
        "limits": {"max_drop": 0.005, "max_bytes": 200000},
        "candidates": {"fp32": CANDIDATES["candidates"]["fp32"], "int8_static": item},
        "verdicts": {"fp32": "refused: a|b", "int8_static": "chosen"},
    }
    write_json(content, own_inputs.reports / "compression" / "candidates.json")
    text = (own_inputs.package(tmp_path / "package") / "README.md").read_text()
    lines = text.splitlines()
    for line in (
        "| candidate | bytes | compressed | accuracy | drop | agreement | verdict |",
        "| int8_static | 1,200 | 1,100 | 0.9667 | +0.0033 (-0.0100 to +0.0120) | 0.9900 | chosen |",
        "| fp32 | 4,000 |  | 0.9667 | +0.0000 | 0.9900 | refused: a\\|b |",
        "- int8_static: made by Prune, then Int8Static (kept float: /conv1|a, sqnr db: /conv1|a 12.5); "
        "worst class: grey; worst class drop: 0.0033",
    ):
        assert line in lines
    assert "the best by bytes within: max drop 0.005, max bytes 200000." in text


def test_figures_of_others_are_none_of_the_models_results(own_inputs, tmp_path):
    metrics = METRICS | {"baseline_accuracy": 0.5, "baseline_accuracy_low": 0.4, "baseline_accuracy_high": 0.6}
    metrics |= {"recall_grey": 0.95, "recall_grey_low": 0.76, "recall_grey_high": 0.99}
    write_json(metrics, own_inputs.reports / "evaluation" / "metrics.json")
    folder = own_inputs.package(tmp_path / "package")
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["metrics"] == ["accuracy"]
    assert "| baseline accuracy | 0.5 | 0.4 to 0.6 |" in text.splitlines()
    assert "| recall grey |" not in text
    assert "baseline" not in (folder / "sbom.cdx.json").read_text()


def test_without_parts_there_is_no_table_of_them(own_inputs, tmp_path):
    (own_inputs.reports / "evaluation" / "figures" / "classes.csv").unlink()
    text = (own_inputs.package(tmp_path / "package") / "README.md").read_text()
    assert "### By" not in text
    assert "| F1 grey | 95.00% |  |" in text


def test_variables_of_a_forecast_are_parts_too(own_inputs, tmp_path):
    figures = own_inputs.reports / "evaluation" / "figures"
    (figures / "classes.csv").unlink()
    (figures / "variables.csv").write_text("variable,unit,mse,mase\noil,°C,0.25,\nload,,12345.6,0.5\n")
    lines = (own_inputs.package(tmp_path / "package") / "README.md").read_text().splitlines()
    assert "| variable | MSE | mase |" in lines
    assert "| oil | 0.25 |  |" in lines
    assert "| load | 12,346 | 0.5 |" in lines
    assert not [line for line in lines if "In brackets" in line]


def test_many_classes_are_cut(own_inputs, tmp_path):
    rows = "\n".join(f"c{number},5,1.0" for number in range(103))
    (own_inputs.reports / "evaluation" / "figures" / "classes.csv").write_text(f"class,rows,recall\n{rows}\n")
    text = (own_inputs.package(tmp_path / "package") / "README.md").read_text()
    assert "| c99 | 5 |" in text
    assert "| c100 | 5 |" not in text
    assert "\n3 more are in the project" in text


def test_config_json_names_the_labels(packaged):
    config = json.loads((packaged / "config.json").read_text())
    assert config["id2label"] == {"0": "black", "1": "grey", "2": "white"}
    assert config["label2id"] == {"black": 0, "grey": 1, "white": 2}
