"""Every text of a page stands out from what is behind it, in light and in dark: a contrast of at least 4.5 (WCAG)."""

import re
from importlib.resources import files

import pytest

STYLE = (files("baselines.page") / "templates" / "page.css").read_text(encoding="utf-8")
COLOURS = {name: both for name, *both in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", STYLE)}
LEAST = 4.5
PAIRS = [("fg", "bg"), ("fg", "card"), ("soft", "bg"), ("soft", "card"), ("link", "bg"), ("link", "card")]
PAIRS += [(name, f"{name}-bg") for name in ("leak", "wrong", "true", "calm", "odd", "warn")]
PAIRS += [(f"k{number}", "bg") for number in range(16)]


def channels(colour: str) -> tuple[float, ...]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return tuple(int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))


def luminance(colour: tuple[float, ...]) -> float:
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21():
    assert contrast(channels("#fff"), channels("#000000")) == pytest.approx(21)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out(scheme):
    for text, behind in PAIRS:
        assert contrast(*(channels(COLOURS[one][scheme]) for one in (text, behind))) >= LEAST, (text, behind)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("heat", ["heat", "good"])
def test_every_number_of_a_heat_map_stands_out(scheme, heat):
    shares = {
        int(level): int(share) / 100
        for level, share in re.findall(r"\.d(\d+) \{ background: color-mix\(in srgb, var\(--heat\) (\d+)%", STYLE)
    } | {10: 1.0}
    assert sorted(shares) == list(range(11)) and list(shares.values()) == sorted(shares.values())
    full, bare, light, deep = (channels(COLOURS[name][scheme]) for name in (heat, "bg", "fg", "deep"))
    for level, share in shares.items():
        behind = tuple(share * one + (1 - share) * other for one, other in zip(full, bare, strict=True))
        assert contrast(deep if level >= 8 else light, behind) >= LEAST, level
