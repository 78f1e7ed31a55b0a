"""Progress: the estimate follows what finished stages took, and kept stages say nothing about speed."""

import io

import pytest

from baselines.run import progress


def test_the_estimate_scales_by_finished_stages_and_lanes(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    shown = progress.Progress({"a": 10, "b": 10, "c": 40}, lanes=2)
    shown.start("a")
    now[0] += 20  # twice as slow as expected
    shown.finish("a")
    shown.start("b")
    shown.finish("b", kept=True)
    shown.start("c")
    now[0] += 80
    shown.finish("c")
    lines = capsys.readouterr().err.splitlines()
    # c is expected to take 40 s, and at half the speed 80: as long as both b and c in two lanes, or longer
    assert lines == [
        "[ 1/3] a: 20.0 s, ETA 80 s",
        "[ 2/3] b: already done, ETA 80 s",
        "[ 3/3] c: 80.0 s, all done",
    ]


def test_two_lanes_share_what_is_left_and_what_runs_is_partly_done(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    shown = progress.Progress(dict.fromkeys("abcde", 10.0), lanes=2)
    shown.start("a")
    shown.start("b")
    now[0] += 4
    assert shown.seconds_left() == (6 + 6 + 30) / 2
    now[0] += 96  # whatever it was, it is not done: a tenth of what was expected is left
    assert shown.seconds_left() == (1 + 1 + 30) / 2


def test_a_kind_is_scaled_by_its_own_stages_and_little_by_a_short_one(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    costs = {"copy": 1.0, "train-1": 100.0, "train-2": 100.0, "ask": 10.0}
    shown = progress.Progress(costs, kinds={name: name.partition("-")[0] for name in costs})
    shown.start("copy")
    shown.finish("copy")  # in no time: alone it would say that all of it takes none
    assert shown.seconds_left() == pytest.approx(210 * 20 / 21)
    shown.start("train-1")
    now[0] += 300
    shown.finish("train-1")
    # all stages: (300 + 20) / (101 + 20); training: (300 + 20 times that) / 120
    of_all = 320 / 121
    assert shown.seconds_left() == pytest.approx(100 * (300 + 20 * of_all) / 120 + 10 * of_all)


def test_a_terminal_has_one_line_that_fits(monkeypatch):
    now, screen = [0.0], io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(progress.sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    shown = progress.Progress({"privacy: unlearn gd": 20.0, "privacy: evaluate a model of a long name": 10.0}, lanes=2)
    shown.start("privacy: unlearn gd")
    now[0] += 5
    shown.part("privacy: unlearn gd", 40, 80)
    assert screen.getvalue().split("\r")[-1] == "[ 0/2] ETA 15 s | privacy: unlearn gd 50 % (8/s)"
    shown.start("privacy: evaluate a model of a long name")
    shown.part("privacy: evaluate a model of a long name", 1, 3)
    assert len(screen.getvalue().split("\r")[-1]) == 59
    shown.finish("privacy: unlearn gd")
    assert "\n" not in screen.getvalue()
    shown.finish("privacy: evaluate a model of a long name")
    assert screen.getvalue().split("\r")[-1].split("  ")[0] == "[ 2/2] all done: 5 s"
    assert screen.getvalue()[-1] == "\n"
    shown.close()
    assert screen.getvalue().count("\n") == 1


def test_phases_follow_each_other_and_those_that_do_not_come_are_kept(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    with progress.Phases({"collect": 10, "decide": 10, "write": 20, "verify": 20}) as told:
        told("collect", 5, 0)
        now[0] += 5
        told("roles", 0, 1)
        told("identities", 0, 1)
        now[0] += 5
        told("verify", 0, 1)
        now[0] += 10
    with progress.Phases({"collect": 10}) as short:
        short("collect", 0, 0)
        now[0] += 1
    assert capsys.readouterr().err.splitlines() == [
        "[ 1/4] collect: 5.0 s, ETA 25 s",
        "[ 2/4] decide: 5.0 s, ETA 20 s",
        "[ 4/4] verify: 10.0 s, all done",
    ]


def test_where_nobody_draws_a_line_comes_now_and_then(monkeypatch, capsys):
    now = [0.0]
    for clock in ("monotonic", "perf_counter"):
        monkeypatch.setattr(progress.time, clock, lambda: now[0])
    shown = progress.Progress({"learn": 10})
    shown.start("learn")
    for seconds, done in ((30, 1), (31, 2), (5, 3)):
        now[0] += seconds
        shown.part("learn", done, 4)
    assert capsys.readouterr().err.splitlines() == ["[ 0/1] ETA 1 s | learn 50 % (0.0328/s)"]
