"""Progress: the estimate follows what finished stages took, and kept stages say nothing about speed."""

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
    # 50 expected seconds left, at half the speed, in two lanes; then 40 the same way
    assert lines == [
        "[ 1/3] a: 20.0 s, ETA 50 s",
        "[ 2/3] b: already done, ETA 40 s",
        "[ 3/3] c: 80.0 s, all done",
    ]


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
    # Half of it took 61 seconds; what it was expected to cost says nothing.
    assert capsys.readouterr().err.splitlines() == ["[ 1/1] learn:  50 %, ETA 61 s"]
