"""Adjectives that name a part of the body or a kind of scan by what follows them: "a renal cyst", "a thoracic film"."""

from collections.abc import Mapping, Sequence

from mllmu_med_metrics.answers.facts import ORGAN_ADJECTIVES
from mllmu_med_metrics.answers.pieces import word_set
from mllmu_med_metrics.normal_form import Found

# Before one of these an adjective names something else than the part of the body: "the renal artery".
_NOT_THE_PART = word_set(
    "artery vein vessel vascular vasculature arterial venous embolism embolus emboli flexure fossa hypertension trunk angle "
    "arterie lobe bone sinus view section plane"
)
# What is found in a part of the body or taken of it, so that an adjective before it names the part: "a renal cyst".
_FOUND = word_set(
    "lesion nodule mass cyst tumor abscess metastasis metastase carcinoma cancer calculus stone infarct infarction "
    "hemorrhage hematoma edema injury laceration trauma disease parenchyma tissue opacity enlargement atrophy fibrosis "
    "failure abnormality involvement infiltrate consolidation cirrhosis steatosis fracture polyp ulcer fibroid stricture "
    "neoplasm adenoma lymphoma hemangioma malignancy inflammation swelling contusion rupture calcification bleed bleeding "
    "cortex medulla perforation obstruction finding thickening defect lucency density collection image picture scan radiograph film xray "
    "x ct mri mr view slice section plane projection examination exam study ultrasound sonogram window region cavity "
    "结 囊 肿 癌 炎 出 血 梗 占 实 内 部 区 影 损 转 积 脏 叶"
)
_MODIFIERS = 3


def _names_part(adjective: str, following: Sequence[str]) -> bool:
    """Say whether an adjective names a part of the body, or a kind of scan, by the words after it."""
    if not _FOUND.isdisjoint(following):
        return not {"artery", "vein"} & set(following[:1])
    return adjective in ORGAN_ADJECTIVES and bool(following) and _NOT_THE_PART.isdisjoint(following)


def named_by_adjective(words: Sequence[str], adjectives: Mapping[str, str]) -> list[Found]:
    """Return the values named by an adjective before what is found there: "a renal cyst", "a thoracic radiograph"."""
    return [
        Found(at, at + 1, adjectives[word])
        for at, word in enumerate(words)
        if word in adjectives and _names_part(word, words[at + 1 : at + 1 + _MODIFIERS])
    ]
