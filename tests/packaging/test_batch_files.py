"""Answers for many inputs, in a file."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from serving.small_packages import make_series, make_shades, make_table, make_texts

from stagewise.errors import PackageError
from stagewise.packaging.batch import command
from stagewise.packaging.batch.command import Answerer, main, refuse_without_file, wants_file, write
from stagewise.packaging.batch.rows import Rows
from stagewise.packaging.predictor import Predictor

HEADER = "input,value,unit,error\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_table(tmp_path_factory.mktemp("package") / "prices")


def lines(count, begin=0):
    return "rooms,colour\n" + "".join(f"{number},green\n" for number in range(begin, begin + count))


def records(file):
    return list(csv.DictReader(file.read_text().splitlines()))


def run(package, out, *items, part_rows=5, top=1):
    predictor = Predictor.load(package)
    return write(
        Answerer(predictor, top), Rows(predictor, map(str, items)), out, told=str(package), part_rows=part_rows
    )


def test_rows_of_csv_are_answered_in_their_order(table, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(lines(7))
    out = tmp_path / "out.csv"
    assert main([str(tmp_path / "in.csv"), "--out", str(out)], table) == 0
    rows = records(out)
    assert [float(row["value"]) for row in rows] == [(number + 2) / 2 for number in range(7)]
    assert rows[0] == {"input": f"{tmp_path}/in.csv#2", "value": "1.0", "unit": "USD", "error": ""}
    assert not (tmp_path / "out.csv.parts").exists()
    assert capsys.readouterr().err == f"{out}: 7 rows, 0 of them with an error\n"


def test_bad_rows_are_errors_in_their_place(table, tmp_path):
    (tmp_path / "in.csv").write_text("rooms,colour\n1,red\nmany,red\n2\n3,red\n")
    out = tmp_path / "out.csv"
    assert main([str(tmp_path / "in.csv"), str(tmp_path / "none.csv"), "--out", str(out)], table) == 2
    rows = records(out)
    assert [row["value"] for row in rows] == ["1.0", "", "", "2.0", ""]
    assert [row["error"] for row in rows] == [
        "", "column 'rooms': 'many' is no number", "1 columns, 2 expected", "", "no such file",
    ]  # fmt: skip


def test_a_file_damaged_in_its_middle_ends_with_an_error(table, tmp_path):
    (tmp_path / "in.csv").write_bytes(lines(3).encode() + b"\xff\xfe,red\n" * 5)
    assert run(table, tmp_path / "out.csv", tmp_path / "in.csv")[1] >= 1
    assert "cannot be read any further" in (tmp_path / "out.csv").read_text().splitlines()[-1]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_empty_input_gives_an_empty_result(table, tmp_path, ending):
    (tmp_path / "in.csv").write_text("rooms,colour\n")
    out = tmp_path / f"out.{ending}"
    assert run(table, out, tmp_path / "in.csv") == (0, 0)
    if ending == "parquet":
        assert parquet.read_table(out).to_pydict() == {"input": [], "value": [], "unit": [], "error": []}
    else:
        assert out.read_text() == (HEADER if ending == "csv" else "")


def test_every_format_says_the_same(table, tmp_path):
    (tmp_path / "in.csv").write_text(lines(11) + "x,red\n")
    for ending in ("csv", "jsonl", "parquet"):
        assert run(table, tmp_path / f"out.{ending}", tmp_path / "in.csv") == (12, 1)
    told = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    written = records(tmp_path / "out.csv")
    assert [row["value"] for row in told] == [row.get("value") for row in objects]
    assert [str(row["value"]) if row["value"] is not None else "" for row in told] == [row["value"] for row in written]
    assert (
        [row["error"] for row in told]
        == [row["error"] for row in objects]
        == [None] * 11 + ["column 'rooms': 'x' is no number"]
    )


def test_parquet_goes_in(table, tmp_path):
    rows = pa.table({"id": [1, 2, 3], "rooms": [3.0, None, 7.0], "colour": ["green", "red", "green"]})
    parquet.write_table(rows, tmp_path / "in.parquet")
    assert run(table, tmp_path / "out.csv", tmp_path / "in.parquet") == (3, 0)
    written = records(tmp_path / "out.csv")
    assert [row["value"] for row in written] == ["2.5", "0.5", "4.5"]
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    assert run(table, tmp_path / "bad.csv", tmp_path / "bad.parquet") == (1, 1)


def test_images_come_from_folders_and_from_parquet(tmp_path):
    package = make_shades(tmp_path / "shades")
    folder = tmp_path / "in/deep"
    folder.mkdir(parents=True)
    for name, level in (("b.png", 250), ("deep/c.png", 5), ("a.png", 130)):
        Image.fromarray(np.full((6, 4), level, np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    (tmp_path / "in/notes.md").write_text("not taken")
    assert run(package, tmp_path / "out.jsonl", tmp_path / "in", top=2) == (4, 1)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [Path(row["input"]).name for row in found] == ["a.png", "b.png", "bad.png", "c.png"]
    assert [row.get("label") for row in found] == ["grey", "white", None, "black"]
    assert len(found[0]["top"]) == 2 and found[2]["error"].startswith("not an image")
    cells = [{"bytes": (tmp_path / "in/a.png").read_bytes(), "path": "/etc/passwd"}, {"bytes": None, "path": "x"}]
    parquet.write_table(pa.table({"image": cells}), tmp_path / "in.parquet")
    assert run(package, tmp_path / "parquet.csv", tmp_path / "in.parquet") == (2, 1)
    assert "there is no value" in (tmp_path / "parquet.csv").read_text()


def test_texts_with_a_bad_line_go_on_behind_it(tmp_path):
    package = make_texts(tmp_path / "texts")
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": \n"film film"\n{"text": ""}\n')
    assert run(package, tmp_path / "out.csv", tmp_path / "in.jsonl") == (4, 2)
    rows = records(tmp_path / "out.csv")
    assert [row["label"] for row in rows] == ["good", "", "film", ""]
    assert list(rows[0]) == ["input", "label", "probability", "error"]


def test_a_forecast_is_json_in_its_cell(tmp_path):
    package = make_series(tmp_path / "waves")
    (tmp_path / "in.csv").write_text("a,b\n1,2\n2,4\n3,6\n")
    assert run(package, tmp_path / "out.csv", tmp_path / "in.csv") == (1, 0)
    (row,) = records(tmp_path / "out.csv")
    assert json.loads(row["forecast"]) == {"a": [2.0, 2.0], "b": [4.0, 4.0]}


def test_a_killed_run_goes_on_and_gives_the_same_bytes(table, tmp_path):
    (tmp_path / "in.csv").write_text(lines(60_000))
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    call = (
        "import sys; from pathlib import Path; from stagewise.packaging.batch.command import main; "
        "sys.exit(main(sys.argv[2:], Path(sys.argv[1])))"
    )
    arguments = [str(tmp_path / "in.csv"), "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-c", call, str(table), *arguments])
    try:
        while len(list(tmp_path.glob("out.csv.parts/*.csv"))) < 3 and process.poll() is None:
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL and not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.glob("out.csv.parts/*.csv"))[:2]}
    assert main(arguments, table) == 0
    assert kept and main([arguments[0], "--out", str(whole)], table) == 0
    assert out.read_bytes() == whole.read_bytes()
    names = [row["input"] for row in records(out)]
    assert len(names) == len(set(names)) == 60_000


def test_an_end_at_any_write_loses_nothing(table, tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text(lines(23))
    run(table, tmp_path / "whole.parquet", tmp_path / "in.csv")
    whole, out, flush = (tmp_path / "whole.parquet").read_bytes(), tmp_path / "out.parquet", os.fsync
    for last in range(1, 100):
        count = 0

        def fsync(handle, last=last):
            nonlocal count
            count += 1
            if count == last:
                os.ftruncate(handle, os.fstat(handle).st_size // 2)  # half of it reached the disk
                raise KeyboardInterrupt
            flush(handle)

        monkeypatch.setattr(os, "fsync", fsync)
        try:
            run(table, out, tmp_path / "in.csv")
        except KeyboardInterrupt:
            monkeypatch.setattr(os, "fsync", flush)
            assert not out.exists()
            assert run(table, out, tmp_path / "in.csv") == (23, 0)
        assert out.read_bytes() == whole
        out.unlink()
        if count < last:
            break
    assert last > 10


def test_what_changed_meanwhile_is_refused(table, tmp_path, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(lines(23))
    monkeypatch.setattr(command.Journal, "finish", lambda *_: None)  # ended just before
    run(table, out, source)
    with pytest.raises(PackageError, match="an unfinished run has other top"):
        run(table, out, source, top=2)
    source.write_text(lines(24))
    with pytest.raises(PackageError, match="an unfinished run has other inputs"):
        run(table, out, source)


def test_a_damaged_part_is_told(table, tmp_path, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(lines(23))
    with monkeypatch.context() as patch:
        patch.setattr(command.Journal, "finish", lambda *_: None)
        run(table, out, source)
    (tmp_path / "out.csv.parts/00000001.csv").write_text("damaged")
    with pytest.raises(PackageError, match="a part is missing or damaged"):
        run(table, out, source)


def test_a_file_that_is_there_stays(table, tmp_path):
    (tmp_path / "in.csv").write_text(lines(3))
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(PackageError, match="the file is there already"):
        run(table, tmp_path / "out.csv", tmp_path / "in.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_two_runs_of_one_file_do_not_mix(table, tmp_path):
    (tmp_path / "in.csv").write_text(lines(3))
    predictor = Predictor.load(table)
    identity = {"any": "thing"}
    with (
        command.Journal.open(tmp_path / "out.csv", identity, ".csv"),
        pytest.raises(PackageError, match="another run writes this file"),
    ):
        write(
            Answerer(predictor, 1), Rows(predictor, [str(tmp_path / "in.csv")]), tmp_path / "out.csv", told=str(table)
        )


@pytest.mark.parametrize(
    "item, message", [("-", "standard input cannot be read again"), ("empty", "holds nothing that this package takes")]
)
def test_inputs_that_cannot_be_are_told_before_anything_is_written(table, tmp_path, item, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError, match=message):
        run(table, tmp_path / "out.csv", item if item == "-" else tmp_path / item)
    assert not (tmp_path / "out.csv.parts").exists()


def test_another_ending_is_refused(table, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["x.csv", "--out", str(tmp_path / "out.xlsx")], table)
    assert "out.xlsx does not end in .csv, .jsonl, .ndjson, .parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, wanted",
    [(["a.csv", "--out", "b.csv"], True), (["--out=b.csv", "a"], True), (["a", "--json"], False), ([], False)],
    ids=["two", "one", "json", "nothing"],
)
def test_a_file_is_asked_for_by_its_option(arguments, wanted):
    assert wants_file(arguments) is wanted


@pytest.mark.parametrize(
    "arguments, fix",
    [
        (["in"], "in --out answers.csv"),
        (["in", "out.csv"], "in --out out.csv"),
        (["in.csv", "out.parquet"], "in.csv --out out.parquet"),
        (["in.csv", "in"], "in --out answers.csv"),
    ],
    ids=["a folder", "a folder and a name", "a table and a name", "a table and a folder"],
)
def test_a_file_is_asked_for_where_answers_can_go_nowhere_else(tmp_path, monkeypatch, arguments, fix):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in.csv").write_text(lines(3))
    with pytest.raises(PackageError, match="need --out") as caught:
        refuse_without_file(arguments, Path("dist/p"))
    assert caught.value.fix == f"stagewise predict dist/p {fix}"


@pytest.mark.parametrize("arguments", [["in.csv"], ["in.csv", "in.csv"], ["a text"], ["no.csv"], ["a" * 5000]])
def test_files_and_texts_are_answered_without_one(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(lines(3))
    refuse_without_file(arguments, Path("dist/p"))


@pytest.mark.parametrize("ending, most", [("csv", 100_000), ("parquet", 40_000)], ids=["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(table, tmp_path, ending, most):
    predictor = Predictor.load(table)
    peaks = []
    for count in (10_000, most):
        source, out = tmp_path / f"in-{count}.csv", tmp_path / f"{count}.{ending}"
        source.write_text(lines(count))
        tracemalloc.start()
        try:
            done = write(Answerer(predictor, 1), Rows(predictor, [str(source)]), out, told=str(table))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert done == (count, 0)
    assert peaks[1] < 1.3 * peaks[0] and peaks[1] < 16e6
