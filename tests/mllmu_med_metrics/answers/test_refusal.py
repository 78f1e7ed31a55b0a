import random
import re
from pathlib import Path

from mllmu_med_metrics.answers import refusal
from mllmu_med_metrics.answers.pieces import written_out

_PATTERNS = "|".join(refusal._ANYWHERE + refusal._AT_THE_START)
WORDS = sorted({*re.findall(r"[a-z]{2,}", _PATTERNS), "i", "the", "not", "liver", "a", "no", "an"})
METHODS = Path(__file__).parents[3] / "baselines" / "methods"


def test_what_the_quick_look_leaves_out_is_no_refusal():
    draw = random.Random(5)
    texts = [" ".join(draw.choices(WORDS, k=draw.randrange(1, 9))) for _ in range(6000)]
    texts += [line for path in METHODS.glob("refusals_*.txt") for line in path.read_text().splitlines()]
    found = 0
    for text in map(written_out, texts):
        refused = refusal._refuses(text)
        found += refused
        assert refusal._triggered(text) or not refused, text
    assert found > 500
