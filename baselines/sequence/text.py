"""A report of requests in sequence as people read it: the printed table and the Markdown page."""

from collections.abc import Mapping, Sequence

from ..study.report_text import Grid, aligned, number

FORMULA = """Request t of T removes the identities of patients D_t from the model that request t - 1 left. Retained are
the clean rows, the bystanders' identities, and those of patients who have not asked yet. Harm is the largest over every
place asked, by patient, and its mean is over the patients named:

    F_t = clip((harm(target) - harm(M_t)) / (harm(target) - harm(gold_t)), 0, 1)    of D_1..t, least over sets of places
    S_t = clip(bystanders' identifiers told exactly by M_t / by gold_t, 0, 1)
    R_t, T_t = clip(U(M_t) / U(gold_t), 0, 1)                                       on retain, test
    h_t = harmonic mean of F_t, S_t, R_t, T_t
    mean = mean of h_t over t      last = h_T      gap = h of all at once - last
    backslide = max over s < t of (F of D_s alone in M_s - the same in M_t)         0: nothing came back

gold_t never saw D_1..t. It is trained after the first request, half of them and all, and in between is that of the
nearest of these points at or after t: an earlier one was taught what was to go since.
"""

COLUMNS: Mapping[str, str] = {
    "method": "method", "headline": "mean", "headline_ends": "95 %", "letters": "alike", "last": "last",
    "last_ends": "95 %", "all_at_once": "at once", "gap": "gap", "gap_ends": "95 %", "backslide": "backslide",
    "backslide_ends": "95 %", "f": "F", "s": "S", "r": "R", "t": "T", "harm": "harm", "patients_leaked": "leaked",
    "verdict": "verdict",
}  # fmt: skip
STEP_COLUMNS: Mapping[str, str] = {
    "request": "request", "patients": "patients", "f": "F", "s": "S", "r": "R", "t": "T", "h": "h",
    "backslide": "backslide", "waiting": "waiting", "harm": "harm", "harm_gold": "gold's harm",
    "patients_leaked": "leaked", "degenerate": "broken",
}  # fmt: skip
SIGNED = ("gap", "backslide")
LEGEND = (
    "F, S, R, T, harm and leaked (patients of whom any answer tells an identifier exactly) are after the last request",
    "alike: methods that share a letter can't be told apart by the mean (all pairs, Holm, 5 %)",
)


def table(document: Mapping[str, object], grid: Grid = aligned) -> str:
    """Return the printed table: a block a batch size, in it a line a method, and below what its columns are."""
    blocks = []
    for batch in document["config"]["batches"]:
        rows = _rows(document, batch)
        lines = [[_cell(row, key) for key in COLUMNS] for row in rows]
        blocks.append("\n".join([_heading(document, rows), *grid([[*COLUMNS.values()], *lines]), *LEGEND]))
    return "\n\n".join(blocks)


def markdown(document: Mapping[str, object]) -> str:
    """Return the report as Markdown: the tables, every request, the formula."""
    config, processor = document["config"], document["versions"].get("processor", "unknown")
    parts = ["# Requests in sequence", ""]
    parts += ["**A smoke run (`--fast`): its numbers mean nothing.**", ""] if config["fast"] else []
    parts += ["![F, S, R and T over the requests](figures/sequence.png)", ""]
    for batch in config["batches"]:
        rows = _rows(document, batch)
        parts += [f"## {batch} at a time", "", f"{_heading(document, rows)}.", ""]
        parts += _grid([*COLUMNS.values()], [[_cell(row, key) for key in COLUMNS] for row in rows])
        parts += ["", *(f"- {line}" for line in LEGEND), ""]
        parts += ["After each request, means over the orders (waiting: identifiers of patients who have not asked yet,",
                  "still told exactly on their own rows):", ""]  # fmt: skip
        parts += _grid(
            ["method", *STEP_COLUMNS.values()],
            [[row["method"], *(_of_step(step, key) for key in STEP_COLUMNS)] for row in rows for step in row["steps"]],
        )
        why = [
            f"No mean for {row['method']}, {where}: {reason}."
            for row in rows
            for where, reason in row["reasons"].items()
        ]
        parts += ["", *why, *([""] if why else [])]
    parts += ["## How to read it", "", FORMULA, ""]
    parts += [
        f"Model {config['model']}, preset {config['preset']}, seed {document['seed']}; asked: "
        f"{', '.join(config['asked'])}; data set `{document['dataset_checksum'][:16]}`; processor {processor}.",
        "",
    ]
    return "\n".join(parts)


def _heading(document: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> str:
    """Return what a table is of, in words."""
    orders = len(document["asking"])
    covers = {"given this target": "other orders, unlearning seeds and patients, given this target"}
    words = " or ".join(dict.fromkeys(covers.get(str(row["covers"]), str(row["covers"])) for row in rows))
    each = f"means of {orders} orders" if orders > 1 else "one order"
    return (
        f"{rows[0]['batch']} at a time: {document['patients']} patients in {rows[0]['requests']} requests; {each}, "
        f"intervals: {words}"
    )


def _cell(row: Mapping[str, object], key: str) -> str:
    if key.endswith("_ends"):
        name = key.removesuffix("_ends")
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        form = "{:+.2f} to {:+.2f}" if name in SIGNED else "{:.2f}-{:.2f}"
        return "-" if low is None or high is None else form.format(low, high)
    if key in SIGNED:
        return "-" if row[key] is None else f"{row[key]:+.2f}"
    return number(row[key]) if key in row else _of_step(row["steps"][-1], key)


def _of_step(step: Mapping[str, object], key: str) -> str:
    """Return a value of one request; how many patients leak is a mean of counts."""
    return f"{step[key]:.1f}" if key == "patients_leaked" else number(step[key])


def _grid(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return a table in Markdown."""
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(line)} |" for line in lines)]


def _rows(document: Mapping[str, object], batch: int) -> list[Mapping[str, object]]:
    return [row for row in document["rows"] if row["batch"] == batch]
