"""The live table: from records that change while it looks, in a terminal and without one."""

import io
import re
import threading

import pytest
from rich.console import Console
from sample_sweeps import BEGAN, LOSS, empty, failed, grid, hostile, sweep, trial, write

from stagewise.sweeps.output.live import LiveTable, best_so_far, progress, remaining, table
from stagewise.sweeps.record import sweep_file, trial_file, write_record


def console(terminal=False, width=110, height=30):
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        highlight=False,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
    )


def drawn(made, now=BEGAN + 1000, room=20):
    out = console()
    out.print(table(*made, now, room))
    return out.file.getvalue()


def mixed():
    cnn = grid(1)
    return sweep(
        [
            cnn[0],
            failed(1, ["model=cnn", "+optimizer.lr=1"]),
            trial(2, ["model=cnn", "+optimizer.lr=0.01"], state="running", stage="train", curves={"val_loss": [0.9, None, 0.4, 0.5]}),
            trial(3, ["model=mlp", "+optimizer.lr=0.01"], state="waiting", started=0.0),
        ],
        total=6,
    )  # fmt: skip


def test_a_row_says_what_a_trial_does():
    lines = drawn(mixed(), now=BEGAN + 125).splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if "00000000000" in line]
    assert [row[0][-1] for row in rows] == ["2", "3", "0", "1"]
    assert rows[0] == ["000000000002", "model=cnn lr=0.01", "running", "train", "0.4", "5.0 s"]
    assert rows[1] == ["000000000003", "model=mlp lr=0.01", "waiting", "–", "–"]
    assert rows[2] == ["000000000000", "model=cnn lr=0.001 seed=0", "finished", "0.30488", "30.0 s"]
    assert rows[3] == ["000000000001", "model=cnn lr=1", "failed", "train", "–", "31.0 s"]
    assert lines[-1] == "2 of 6 trials ended, 1 failed, about 1 min 55 s to go"


def test_what_has_no_room_is_counted():
    text = drawn(mixed(), room=2)
    assert "and 2 more trials" in text
    assert "000000000002" in text
    assert "000000000000" not in text


def test_the_rest_takes_as_long_as_what_finished():
    done = [trial(n, [], started=BEGAN, ended=BEGAN + took) for n, took in enumerate((10, 30))]
    running = [trial(n, [], state="running", started=BEGAN + 100) for n in (2, 3)]
    assert remaining(2, done, BEGAN + 105) == 0
    assert remaining(4, [*done, *running], BEGAN + 105) == 15
    # Two at once: 15 s left of each, and five more of 20 s.
    assert remaining(9, [*done, *running], BEGAN + 105) == (15 + 15 + 5 * 20) / 2
    assert remaining(4, [*done, *running], BEGAN + 999) == 0
    assert remaining(9, running, BEGAN + 105) is None
    assert remaining(9, [failed(1, [])], BEGAN + 105) is None


def test_without_a_known_total_no_end_is_promised():
    made, trials = sweep(mixed()[1], total=None)
    assert progress(made, trials, BEGAN + 125) == "2 of 4 or more trials ended, 1 failed"


@pytest.mark.parametrize(("direction", "best"), [("min", 0.4), ("max", 0.9)])
def test_the_best_so_far_is_of_the_curve_until_there_is_a_figure(direction, best):
    objective = LOSS.model_copy(update={"direction": direction})
    running = mixed()[1][2]
    assert best_so_far(running, objective) == best
    assert best_so_far(running.model_copy(update={"metrics": {"val_loss": 0.7}}), objective) == 0.7
    assert best_so_far(running.model_copy(update={"curves": {"val_loss": [None]}}), objective) is None


def test_without_a_terminal_a_line_per_trial_that_ends(tmp_path):
    made, trials = mixed()
    write(tmp_path, made, trials)
    out = console()
    with LiveTable(tmp_path, "sweep", out, clock=lambda: BEGAN):
        done = trials[2].model_copy(
            update={"state": "finished", "stage": None, "metrics": {"val_loss": 0.4}, "ended": BEGAN + 180}
        )
        write_record(done, trial_file(tmp_path, done.id))
    assert out.file.getvalue().splitlines() == [
        "000000000000  model=cnn optimizer.lr=0.001 seed=0  finished  val_loss 0.30488  30.0 s",
        "000000000001  model=cnn optimizer.lr=1  failed in train: the loss is not finite  31.0 s",
        "  log: .stagewise/sweeps/logs/000000000001.log",
        "000000000002  model=cnn optimizer.lr=0.01  finished  val_loss 0.4  1 min 00 s",
    ]


def test_what_had_ended_before_is_not_announced(tmp_path):
    write(tmp_path, *mixed())
    out = console()
    with LiveTable(tmp_path, "sweep", out, clock=lambda: BEGAN + 60):
        pass
    assert [line.split()[0] for line in out.file.getvalue().splitlines()] == ["000000000001", "log:"]


class Seen(io.StringIO):
    """A stream that can be waited on until a text has been written to it."""

    def __init__(self):
        super().__init__()
        self._written = threading.Condition()

    def write(self, text):
        with self._written:
            done = super().write(text)
            self._written.notify_all()
            return done

    def holds(self, text):
        with self._written:
            return self._written.wait_for(lambda: text in self.getvalue(), 60)


def test_a_failure_is_told_once_while_the_others_run(tmp_path):
    made, trials = mixed()
    running = trials[1].model_copy(update={"state": "running", "ended": 0.0})
    write(tmp_path, made, [trials[0], running, *trials[2:]])
    stream = Seen()
    with LiveTable(tmp_path, "sweep", Console(file=stream, width=110), clock=lambda: BEGAN):
        assert stream.holds("000000000000")
        assert "000000000001" not in stream.getvalue()
        write_record(trials[1], trial_file(tmp_path, trials[1].id))
        assert stream.holds(".stagewise/sweeps/logs/000000000001.log")
    assert stream.getvalue().count("000000000000") == 1
    assert stream.getvalue().count("failed in train: the loss is not finite") == 1


def test_in_a_terminal_the_table_is_redrawn_and_a_failure_stays_above(tmp_path):
    made, trials = mixed()
    write(tmp_path, made, trials)
    out = console(terminal=True)
    with LiveTable(tmp_path, "sweep", out, clock=lambda: BEGAN):
        pass
    text = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", out.file.getvalue())
    assert text.count("failed in train: the loss is not finite") == 1
    assert "log: .stagewise/sweeps/logs/000000000001.log" in text
    assert text.index("failed in train") < text.index("2 of 6 trials ended")
    assert "\x1b[?25h" in out.file.getvalue(), "the cursor is back"


@pytest.mark.parametrize("terminal", [False, True])
def test_records_that_are_not_there_or_broken_do_not_stop_it(tmp_path, terminal):
    out = console(terminal)
    with LiveTable(tmp_path, "sweep", out):
        pass
    made, trials = mixed()
    write(tmp_path, made, trials[:1])
    trial_file(tmp_path, trials[1].id).write_text("{")
    with LiveTable(tmp_path, "sweep", out, clock=lambda: BEGAN):
        pass
    assert "000000000000" in out.file.getvalue()
    sweep_file(tmp_path, "sweep").write_text("")
    with LiveTable(tmp_path, "sweep", out):
        pass


def test_an_exception_of_the_sweep_passes_through(tmp_path):
    with pytest.raises(KeyboardInterrupt), LiveTable(tmp_path, "sweep", console(True)):
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name == "live table"]


def test_nothing_of_the_records_steers_the_terminal(tmp_path):
    made, trials = hostile()
    write(tmp_path, made.model_copy(update={"name": "sweep"}), trials)
    out = console()
    with LiveTable(tmp_path, "sweep", out, clock=lambda: BEGAN):
        pass
    for text in (out.file.getvalue(), drawn((made, trials)), drawn(empty())):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text)
    assert "[bold red]rich[/]" in out.file.getvalue()
