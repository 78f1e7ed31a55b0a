"""Several seeds of one study as people read them: the table over targets, what attacks bring out, the Markdown page."""

from collections.abc import Mapping, Sequence

from .report_rows import headline
from .report_text import COLUMNS, NOT_ABOVE, Grid, aligned, difference_lines, legend, short_attack
from .seeds import FIELDS, summary

WORDS = {**COLUMNS, "true_recovery": "truth", "abstention": "abstain", "degenerate": "broken"}


def table(documents: Sequence[Mapping[str, object]], grid: Grid = aligned) -> str:
    """Return the printed tables: a block a scenario, in it a line a model, and below it what attacks bring out."""
    rows = summary(documents)
    return "\n\n".join(
        "\n".join(_block(scenario, [row for row in rows if row["scenario"] == scenario], documents, grid))
        for scenario in dict.fromkeys(row["scenario"] for row in rows)
    )


def _block(
    scenario: str, rows: Sequence[Mapping[str, object]], documents: Sequence[Mapping[str, object]], grid: Grid
) -> list[str]:
    """Return the lines of one scenario."""
    score = headline(scenario, documents[0].get("ues_version", 1))
    fields = [score, *(field for field in FIELDS if field != score)]
    fields = [field for field in fields if any(row[field] is not None for row in rows)]
    alike = any(row["letters"] for row in rows)
    header = ["model", "runs", WORDS[score], "95 %", *(["alike"] if alike else [])]
    lines = [[*header, *(WORDS[field] for field in fields[1:]), "verdicts"]]
    for row in rows:
        numbers = ["-" if row[field] is None else f"{row[field]:.2f}" for field in fields]
        name = row["model"] + (NOT_ABOVE if row["beats_retain_ft"] is False else "")
        cells = [name, _runs(row), numbers[0], _ends(row["low"], row["high"])]
        lines.append([*cells, *([row["letters"] or "-"] if alike else []), *numbers[1:], _counted(row["verdicts"])])
    seeds = sorted({seed for row in rows for seed in row["targets"]})
    covers = next((f"; intervals {row['covers']}" for row in rows if row["covers"] and row["low"] is not None), "")
    heading = f"{scenario} (means of seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}{covers})"
    return [heading, *grid(lines), *legend(rows, WORDS[score]), *_under_attack(rows, grid)]


def _under_attack(rows: Sequence[Mapping[str, object]], grid: Grid) -> list[str]:
    """Return the tables of F_a and of harm under every attack, where any model was attacked."""
    attacked = [row for row in rows if row["attacks"]]
    names = list(dict.fromkeys(name for row in attacked for name in row["attacks"]))
    lines: list[str] = []
    for value, heading in (("f", "F_a under attack"), ("harm", "harm that is brought out")) if attacked else ():
        last = ["robust"] if value == "f" else []
        cells = [["model", *map(short_attack, names), *last]]
        for row in attacked:
            found = [_estimate(row["attacks"].get(name), value) for name in names]
            robust = _with_ends(row["ues_robust"], row["ues_robust_low"], row["ues_robust_high"])
            cells.append([str(row["model"]), *found, *([robust] if last else [])])
        lines += [f"{heading} ({_attacked_targets(attacked)})", *grid(cells)]
    return lines


def _attacked_targets(rows: Sequence[Mapping[str, object]]) -> str:
    counts = sorted({one["targets"] for row in rows for one in row["attacks"].values()})
    if counts == [1]:
        return "the first run of one target"
    targets = " to ".join(str(one) for one in dict.fromkeys((counts[0], counts[-1])))
    return f"means of {targets} targets, the first run of each, 95 % over targets"


def _estimate(attack: Mapping[str, object] | None, value: str) -> str:
    if attack is None:
        return "-"
    return _with_ends(attack[value], attack[f"{value}_low"], attack[f"{value}_high"])


def _with_ends(point: float | None, low: float | None, high: float | None) -> str:
    shown = "-" if point is None else f"{point:.2f}"
    return shown if low is None else f"{shown} {_ends(low, high)}"


def _ends(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"{low:.2f}-{high:.2f}"


def _runs(row: Mapping[str, object]) -> str:
    """Return how many targets and unlearning seeds a model has: ``3x2``, or ``2x3+1x2`` where they are not alike."""
    counts = sorted(row["runs"], reverse=True)
    return "+".join(f"{counts.count(count)}x{count}" for count in dict.fromkeys(counts))


def _counted(verdicts: Sequence[str]) -> str:
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "-"


def markdown(shown: str, differences: Mapping[str, Sequence[Mapping[str, object]]], figures: Sequence[str]) -> str:
    """Return the page of several targets: figures, tables, and the differences that were declared beforehand."""
    captions = {
        "tradeoff": "forgetting against kept utility", "attacks": "forgetting when asked and under the worst attack",
    }  # fmt: skip
    lines = ["# Unlearning report of several targets", ""]
    for name in figures:
        lines += [f"![{captions[name]}](figures/{name}.png)", ""]
    lines += ["```", shown, "```", ""]
    for scenario, found in differences.items():
        lines += [f"## {scenario}", "", *difference_lines(found), ""] if found else []
    return "\n".join(lines)
