"""Bars of what a build holds, as SVG that any browser draws: no plotting library, and the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import get_args

from mllmu_med_metrics.vocabulary import PRIVATE, Severity, config_name

from ..building.counts import Counts, over

WIDTH, LABELS, NUMBERS = 720, 230, 60
BAR, GAP, TOP = 16, 6, 44
# Bars that a figure shows; the rest is added up in its last one.
SHOWN = 20
PLAIN = "#3b6ea5"
# Lightest for the mildest: told apart without colour too.
SEVERITIES = dict(zip(get_args(Severity), ("#f3c98b", "#e0803a", "#9c2f2f"), strict=True))
INK, FAINT = "#222222", "#666666"


def figures(counts: Mapping[str, Counts]) -> dict[str, str]:
    """Return the figures that a build's counts give rise to, by file name."""
    made = {}
    scenario = next(iter(counts)).split("_")[0]
    clean = [counts[f"{scenario}_{subset}"] for subset in ("retain", "test")]
    pictured = {", ".join(value or "not told" for value in values): {PLAIN: number}
                for values, number in over(clean, "modality", "body_region").items()}  # fmt: skip
    made["modalities.svg"] = bars("Clean rows (retain and test) by modality and body region", pictured)
    if private := [name for one in PRIVATE if (name := config_name(one, "forget")) in counts]:
        kinds = {kind: {PLAIN: number} for kind, number in counts[private[0]].identifier_kinds.items()}
        made["identifiers.svg"] = bars(f"Rows of {private[0]} that show an identifier of a kind", kinds)
    if (found := counts.get("incorrectness_forget")) is not None:
        errors: dict[str, dict[str, int]] = {}
        for (kind, severity), number in found.by("error_kind", "error_severity").items():
            parts = errors.setdefault(kind, {})
            parts[SEVERITIES.get(severity, PLAIN)] = parts.get(SEVERITIES.get(severity, PLAIN), 0) + number
        used = {colour for parts in errors.values() for colour in parts}
        legend = [(name, colour) for name, colour in SEVERITIES.items() if colour in used]
        made["errors.svg"] = bars("Rows of incorrectness_forget by the kind of their error", errors, legend)
    return made


def bars(title: str, parts: Mapping[str, Mapping[str, int]], legend: Sequence[tuple[str, str]] = ()) -> str:
    """Return horizontal bars, longest first, each in parts of a colour; the names of the colours in the legend."""
    total = {label: sum(one.values()) for label, one in parts.items()}
    order = sorted(parts, key=lambda label: (-total[label], label))
    shown = [(label, dict(parts[label])) for label in order[:SHOWN]]
    if rest := order[SHOWN:]:
        shown[-1:] = [shown[-1], (f"{len(rest)} others together", {FAINT: sum(total[label] for label in rest)})]
    top = TOP + (BAR + GAP if legend else 0)
    height = top + len(shown) * (BAR + GAP) + GAP
    longest = max((sum(one.values()) for _, one in shown), default=1) or 1
    scale = (WIDTH - LABELS - NUMBERS) / longest
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="26" font-size="15" font-weight="bold" fill="{INK}">{escape(title)}</text>',
    ]
    for place, (name, colour) in enumerate(legend):
        left = LABELS + 110 * place
        lines.append(f'<rect x="{left}" y="{TOP - 4}" width="{BAR - 4}" height="{BAR - 4}" fill="{colour}"/>')
        lines.append(f'<text x="{left + BAR}" y="{TOP + 7}" font-size="13" fill="{INK}">{escape(name)}</text>')
    for place, (label, one) in enumerate(shown):
        y, x = top + place * (BAR + GAP), float(LABELS)
        lines.append(
            f'<text x="{LABELS - 8}" y="{y + 13}" font-size="13" text-anchor="end" fill="{INK}">'
            f"{escape(_short(label))}</text>"
        )
        ranked = sorted(one.items(), key=lambda part: [*SEVERITIES.values(), PLAIN, FAINT].index(part[0]))
        for colour, number in ranked:
            width = number * scale
            lines.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            x += width
        lines.append(f'<text x="{x + 6:.1f}" y="{y + 13}" font-size="13" fill="{FAINT}">{sum(one.values()):,}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _short(label: str) -> str:
    return label if len(label) <= 32 else label[:31] + "…"
