"""A model's likelihoods in a few numbers, and beside those of the golds: what it still holds that they never learned.

Two golds: `retain_only` never saw the injected rows, `format_matched` learned other people's identities on the same
images. A membership AUC or a probability above the first alone may come from the format; above both it does not.
"""

from collections.abc import Mapping, Sequence
from math import log2

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.likelihood import membership
from mllmu_med_metrics.likelihood.distribution import ks_distance

MEANS = ("probability", "exact_memorisation", "extraction_strength", "truth_ratio", "margin")
MEMBERSHIP = ("loss", "zlib", "min_k", "min_k_plus_plus")
GOLDS = ("retain_only", "format_matched")


def summary(
    document: Mapping[str, object], golds: Mapping[str, Mapping[str, object] | None] | None = None
) -> dict[str, object]:
    """Return the likelihood metrics of a model from its rows, and, beside the rows of golds by name, relative to each.

    ``probability``, ``exact_memorisation``, ``extraction_strength`` (0 to 1) and ``truth_ratio`` (>= 0) are means over
    forget rows, ``margin`` (nats, above 0 the truth is likelier) over those with a wrong fact, ``exposure`` in bits by
    kind of identifier, ``membership`` the AUC of forget against holdout by attack. ``against`` holds of every gold its
    means, its AUC with what the model's is above (``excess``), and ``forget_quality``: KS distance of the two models'
    truth ratios, with p by permuting patients. Raises :class:`UserError` where a gold's are of other rows.
    """
    forget = _forget(document)
    values: dict[str, object] = dict(_means(forget))
    values["exposure"] = _exposure_by_kind(forget)
    values["membership"] = _aucs(document["rows"])
    values["against"] = {
        name: _against(document, values["membership"], gold, name) for name, gold in (golds or {}).items() if gold
    }
    return values


def table(values: Mapping[str, object]) -> str:
    """Return a summary as lines of text: each metric of the model, of the golds, and what the model's is above each."""
    golds: Mapping[str, Mapping] = values["against"]
    lines = [_line("", "model", *(word for name in golds for word in (name, "above it")))]
    for name in MEANS:
        lines.append(_numbers(name, values[name], [gold[name] for gold in golds.values()]))
    for name in MEMBERSHIP:
        theirs = [gold["membership"][name]["auc"] for gold in golds.values()]
        lines.append(_numbers(f"AUC {name}", values["membership"][name], theirs))
    if golds:
        distances = [gold["forget_quality"] or {"d": None, "p": None} for gold in golds.values()]
        lines.append(
            _line(
                "KS to the gold (p)",
                "",
                *(word for one in distances for word in (_cell(one["d"]), f"({_cell(one['p'])})")),
            )
        )
    for kind, one in (values["exposure"] or {}).items():
        bound = "" if one["is_exact"] else ", of those drawn"
        lines.append(f"{'exposure ' + kind:>20}  {one['bits']:.1f} of {one['most_bits']:.1f} bits{bound}")
    return "\n".join(lines)


def _against(
    document: Mapping[str, object], mine: Mapping[str, float | None], gold: Mapping[str, object], name: str
) -> dict[str, object]:
    """Return a gold's means, its AUCs with what the model's are above them, and the distance of the truth ratios."""
    _check_same(document, gold, name)
    aucs = {
        attack: {"auc": auc, "excess": None if auc is None or mine[attack] is None else mine[attack] - auc}
        for attack, auc in _aucs(gold["rows"]).items()
    }
    theirs = {row["id"]: row["truth_ratio"] for row in gold["rows"]}
    both = [row for row in _forget(document) if row["truth_ratio"] is not None and theirs[row["id"]] is not None]
    distance = ks_distance(
        [row["truth_ratio"] for row in both],
        [theirs[row["id"]] for row in both],
        [row["patient_id"] for row in both],
        seed=document["settings"]["seed"],
    )
    quality = None if distance is None else {"d": distance.d, "p": distance.p}
    return {**_means(_forget(gold)), "membership": aucs, "forget_quality": quality}


def _forget(document: Mapping[str, object]) -> list[Mapping]:
    return [row for row in document["rows"] if row["subset"] == "forget"]


def _means(forget: Sequence[Mapping]) -> dict[str, float | None]:
    return {name: _mean([row[name] for row in forget]) for name in MEANS}


def _aucs(rows: Sequence[Mapping]) -> dict[str, float | None]:
    of = {subset: [row["membership"] for row in rows if row["subset"] == subset] for subset in ("forget", "holdout")}
    return {
        name: membership.auc([one[name] for one in of["forget"]], [one[name] for one in of["holdout"]])
        for name in MEMBERSHIP
    }


def _exposure_by_kind(forget: Sequence[Mapping]) -> dict[str, dict[str, object]] | None:
    by_kind: dict[str, list[Mapping]] = {}
    for row in forget:
        for one in row.get("exposure", ()):
            by_kind.setdefault(one["kind"], []).append(one)
    if not by_kind:
        return None
    return {
        kind: {
            "bits": _mean([one["bits"] for one in known]),
            "most_bits": _mean([log2(one["candidates"] + 1) for one in known]),
            "is_exact": all(one["is_exact"] for one in known),
            "identifiers": len(known),
        }
        for kind, known in sorted(by_kind.items())
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _numbers(name: str, mine: float | None, theirs: Sequence[float | None]) -> str:
    cells = [_cell(mine)]
    for gold in theirs:
        cells += [_cell(gold), _cell(None if None in (mine, gold) else mine - gold, "+.3f")]
    return _line(name, *cells)


def _line(name: str, *cells: str) -> str:
    return f"{name:>20}" + "".join(f"  {cell:>14}" for cell in cells)


def _cell(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


def _check_same(document: Mapping, gold: Mapping, name: str) -> None:
    for key in ("data_digest", "scenario", "percent"):
        mine, theirs = document["settings"][key], gold["settings"][key]
        if mine != theirs:
            raise UserError(
                f"The likelihoods of the model and of {name} can't be compared: {key} is {mine} and {theirs}. Compute "
                "both on one data set, scenario and percent."
            )
