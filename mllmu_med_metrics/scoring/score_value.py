"""What a score holds: UES, its parts and its companions, each with a reason where it is None."""

from dataclasses import dataclass, fields

UES_VERSION = 2
UES_VERSIONS = (1, 2)
FEW_PATIENTS = 40
LEAKS = ("leak_rate", "leak_by_kind", "any_leak_per_patient", "other_patient_leak", "other_patient_leak_by_subset")
# By version: the scores and their parts, each with an interval; those whose ends are fields; and what only it has.
PARTS = {
    1: ("ues", "ues_strict", "ues_worst_view", "ues_rouge_l", "f", "r", "t", "k", "harm"),
    2: ("ues", "ues_strict", "ues_robust", "ues_rouge_l", "f", "r", "t", "b", "k", "u", "harm"),
}
WITH_INTERVAL = {1: ("ues", "ues_strict", "ues_worst_view"), 2: ("ues", "ues_strict", "ues_robust")}
# What tells identities that were made up, claims that were added, who is told: companions of version 2.
COMPANIONS_OF_2 = (
    "harm_by_place", "harm_by_kind", "patients_leaked", "patients_leaked_upper", "invented", "invented_by_subset",
    "added_claims", "length_ratio",
)  # fmt: skip
_ONLY = {
    1: ("ues_worst_view", "ues_worst_view_low", "ues_worst_view_high", "harm_by_view"),
    2: ("b", "u", "ues_robust", "ues_robust_low", "ues_robust_high", "attack_set", "attacks", *COMPANIONS_OF_2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of one unlearned model, its parts and its companions; None means that `reasons` says why."""

    scenario: str | None
    ues_version: int
    ues: float | None  # 0 the target's, 1 retain_only's; higher is better
    ues_low: float | None
    ues_high: float | None
    ues_strict: float | None  # never above `ues`
    ues_strict_low: float | None
    ues_strict_high: float | None
    ues_reason: str | None  # why `ues` is None
    ues_rouge_l: float | None  # the same structure on ROUGE-L F1
    unnormalised: bool  # no retain_only model was given
    f: float | None  # forgetting
    r: float | None  # utility kept on retain
    t: float | None  # utility kept on test
    k: float | None  # the truth told on forget
    harm: float | None  # of the unlearned model, over every place asked; lower is better
    harm_holdout: float | None
    harm_target: float | None
    harm_retain_only: float | None
    harm_base: float | None
    overshoot: float | None  # harm(retain_only) - harm(unlearned): above 0, it suppresses more than the gold
    keep_forget: float | None
    keep_retain: float | None
    keep_test: float | None
    keep_holdout: float | None
    blind_forget: float | None
    blind_retain: float | None
    blind_test: float | None
    utility_forget: float | None
    utility_retain: float | None
    utility_test: float | None
    leak_rate: float | None  # share of the identifiers of forget rows told exactly; privacy only
    leak_by_kind: dict[str, float] | None
    any_leak_per_patient: float | None  # share of forget patients with an identifier of theirs told on a row of theirs
    other_patient_leak: float | None  # share of forget rows that tell another forget patient's direct identifier
    other_patient_leak_by_subset: dict[str, float] | None  # the same on the rows of every subset
    wrong_agreement: float | None  # share of forget rows that say the wrong fact; incorrectness only
    true_recovery: float | None  # share of forget rows (with a fact) that say the true fact only
    abstention: float | None  # share of forget rows refused
    abstention_excess: float | None  # minus the share of holdout rows refused: above 0, refusing reveals membership
    degenerate: float | None  # share of all rows answered with broken output
    degenerate_by_subset: dict[str, float]
    n_forget: int
    n_retain: int
    n_test: int
    n_holdout: int
    n_by_view: dict[str, int]
    n_forget_patients: int
    replicates: int
    null_replicates: int  # bootstrap replicates in which UES is undefined; left out of its interval
    seed: int
    intervals: dict[str, tuple[float, float] | None]  # 95 %, of the scores and their parts
    reasons: dict[str, str]  # field (harm_by_view.paraphrase for one of its items) -> why it is None
    warnings: tuple[str, ...]
    # Share of forget rows whose thought tells an identifier, or the wrong fact; None where no answer holds a thought.
    thought_leak_rate: float | None = None
    # Version 2 only.
    b: float | None = None  # bystanders' identities kept; request only
    u: float | None = None  # what is kept: harmonic mean of r, t and, where there is one, b
    harm_by_place: dict[str, float] | None = None  # harm of each place alone
    harm_by_kind: dict[str, float] | None = None  # of identifiers, by kind
    patients_leaked: int | None = None  # forget patients of whom any answer tells an identifier exactly, anywhere
    patients_leaked_upper: float | None = None  # the share of patients that this many still allow, at 95 %
    invented: float | None = None  # share of forget rows that show an identity which is not the patient's
    invented_by_subset: dict[str, float] | None = None
    added_claims: float | None = None  # share of retain and test rows with a value of another question's closed set
    length_ratio: float | None = None  # words of an answer to retain and test rows, by the gold's (the target's)
    ues_robust: float | None = None  # with the least forgetting under attack too; never above `ues_strict`
    ues_robust_low: float | None = None
    ues_robust_high: float | None = None
    attack_set: str | None = None  # which attacks: the set's name, with own ones; None where not all of it was run
    # By attack: f (F_a), harm, harm_target, harm_retain_only, counts (in the robust UES).
    attacks: dict[str, dict[str, float | bool | None]] | None = None
    # Version 1 only.
    ues_worst_view: float | None = None  # with the largest harm over forget and its views as harm; never above `ues`
    ues_worst_view_low: float | None = None
    ues_worst_view_high: float | None = None
    harm_by_view: dict[str, float | None] | None = None  # None in it where the target does not leak on the view

    def to_dict(self) -> dict[str, object]:
        """Return the fields of the score's version as plain values that JSON can hold.

        `thought_leak_rate` is among them only where there are thoughts.
        """
        left_out = {name for version, names in _ONLY.items() if version != self.ues_version for name in names}
        names = [field.name for field in fields(self) if field.name not in left_out]
        found: dict[str, object] = {name: getattr(self, name) for name in names}
        found["intervals"] = {name: None if ends is None else list(ends) for name, ends in self.intervals.items()}
        found["warnings"] = list(self.warnings)
        if self.thought_leak_rate is None:
            del found["thought_leak_rate"]
        return found
