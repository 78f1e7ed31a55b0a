"""Progress: the estimate follows what finished stages took, and kept stages say nothing about speed."""

from baselines import progress


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
