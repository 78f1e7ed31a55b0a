"""The figure: every model that has F, R and T is drawn and named, and crowded labels never touch."""

import itertools

from baselines.study import figure


def test_labels_of_equal_points_stand_apart():
    heights = figure._apart([1.0, 1.0, 0.99, 0.5])
    assert heights[0] == 1.08
    assert all(above - below >= figure.LINE - 1e-12 for above, below in itertools.pairwise(heights))
    assert heights[3] == 0.58


def test_labels_beside_points_touch_neither_each_other_nor_a_point():
    points = [(0.45, 0.87), (0.45, 0.86), (0.45, 0.72), (0.35, 0.86), (0.46, 0.86)]
    texts = ["gd", "kl_min", "ga", "idk", "mmunlearner"]
    places = figure._beside(points, texts)
    boxes = []
    for (x, y, side), text in zip(places, texts, strict=True):
        width = figure.CHARACTER * len(text)
        boxes.append((x, x + width, y) if side == "left" else (x - width, x, y))
    assert not any(figure._touch(one, other) for one, other in itertools.combinations(boxes, 2))
    for x, y in points:
        assert not any(left < x < right and abs(height - y) < 0.03 for left, right, height in boxes)


def test_models_are_named_and_those_without_parts_left_out(tmp_path):
    def row(model: str, f: float | None, verdict: str | None = None) -> dict[str, object]:
        return {"scenario": "privacy", "model": model, "f": f, "r": 0.9, "t": 0.8, "verdict": verdict}

    rows = [row("target", 0.0), row("ga", 0.95, "collapsed"), row("gd", 0.96, "ok"), row("mine", None)]
    png, svg = figure.tradeoff(rows, tmp_path)
    assert png.stat().st_size > 10_000
    text = svg.read_text()
    assert "<!-- ga -->" in text and "<!-- hollow: the verdict is not ok -->" in text
    assert "<!-- gd -->" in text
    assert "mine" not in text
