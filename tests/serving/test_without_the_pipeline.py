"""What is deployed, where only the core and the extra for serving are installed: no PyTorch, no DVC, no pyarrow."""

import json

import pytest
from installations import command, run
from mutations import ways
from talking import live

KINDS = ["image", "text", "table", "sound", "series"]


def test_it_serves_every_kind_of_input(packages):
    start = tuple(command(("serve",), "serve"))
    with live(*packages.values(), start=start) as service:
        for kind, package in packages.items():
            name = json.loads((package / "manifest.json").read_text())["name"]
            for way in ways(kind):
                answer = service.post(f"/v1/models/{name}/predict", way.body, way.media)
                assert answer.status == 200, (way, answer.body)
        paths = ("/demo", "/metrics", "/openapi.json", "/v1/models", "/v1/drift")
        assert [service.get(path).status for path in paths] == [200] * len(paths)
        assert service.stop() == (0, "")


@pytest.mark.parametrize("kind", KINDS)
def test_it_predicts_and_verifies(packages, kind, tmp_path):
    (example,) = [file for file in (packages[kind] / "examples").iterdir() if file.name != "expected.json"]
    done = run((), "predict", packages[kind], example, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["input"] == str(example)
    done = run((), "verify", packages[kind], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "OK      self-test   1 examples, as recorded" in done.stdout


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_it_writes_answers(packages, ending, tmp_path):
    done = run(
        (), "predict", packages["image"], packages["image"] / "examples" / "0.png", "--out", f"a.{ending}", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, f"a.{ending}: 1 rows, 0 of them with an error\n")
    assert "white" in (tmp_path / f"a.{ending}").read_text()


def test_parquet_is_an_extra_of_its_own(packages, tmp_path):
    write = ("predict", packages["image"], packages["image"] / "examples" / "0.png", "--out", "a.parquet")
    done = run(("serve",), *write, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "stagewise predict: pyarrow is not installed\n"
        "  why:   only files of Parquet need it\n"
        "  next:  pip install 'stagewise[parquet]'\n"
    )
    done = run(("parquet",), *write, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "a.parquet: 1 rows, 0 of them with an error\n")


def test_it_makes_the_page_of_drift(tmp_path):
    from watched import make_digits  # scikit-learn takes seconds of every collection

    package = make_digits(tmp_path / "digits-1.0.0")
    log = tmp_path / "requests.jsonl"
    with live(package, "--log", log, "--log-share", 1, start=tuple(command(("serve",), "serve"))) as service:
        rows = bytes(8 * 8 * 60)
        assert service.post("/v1/predict", rows, "application/octet-stream").status == 200
        assert service.stop() == (0, "")
    done = run((), "drift", log, "--package", package, "--window", 60, "--out", "page.html", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 of 1 windows of 60 rows drifted" in done.stdout
    assert "<html" in (tmp_path / "page.html").read_text()
