"""What a fact is: the form in which it is stored, the key by which two spellings are one fact, and other names.

The data set and the metrics read facts through this file alone, so what a build holds for the same, the score does.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import permutations, product

from mllmu_med_metrics.answers.pieces import is_word, pieces_of
from mllmu_med_metrics.answers.plurals import number_forms
from mllmu_med_metrics.normal_form import squeeze

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
NUMBER_WORDS = {word: str(number) for number, word in enumerate(NUMBERS)}
SPELLINGS = {
    "tumour": "tumor", "colour": "color", "grey": "gray", "oedema": "edema", "centre": "center",
    "oesophagus": "esophagus", "haemorrhage": "hemorrhage", "haematoma": "hematoma", "anaemia": "anemia",
}  # fmt: skip
# British spellings, in whatever word.
_BRITISH = (
    (re.compile("haem"), "hem"), (re.compile("aemi"), "emi"), (re.compile("oedem"), "edem"), (re.compile("oesoph"), "esoph"),
    (re.compile("paed"), "ped"), (re.compile("anaes"), "anes"), (re.compile("foet"), "fet"), (re.compile("rrhoea"), "rrhea"),
    (re.compile("pnoea"), "pnea"), (re.compile("caec"), "cec"), (re.compile("gynaec"), "gynec"), (re.compile("aetiol"), "etiol"),
    (re.compile("coeli"), "celi"), (re.compile("faec"), "fec"), (re.compile("oestro"), "estro"),
    (re.compile("^(fi|cali|lit|met)(b|t)?re$"), r"\1\2er"), (re.compile("isation"), "ization"),
)  # fmt: skip
# Names of one thing: values of one group are one fact, which no injection swaps for another. A value is found in an
# answer under the names of its group.
SAME_THING = (
    ("ct", "ct scan", "computed tomography", "computer tomography", "computed tomographic", "computed tomogram", "computerized tomography", "computerised tomography", "cat scan",
     "计算机断层扫描", "断层扫描"),
    ("mr", "mri", "mri scan", "mr scan", "magnetic resonance", "magnetic resonance imaging", "nmr", "磁共振",
     "磁共振成像", "核磁共振", "核磁"),
    ("x ray", "xray", "radiograph", "radiographic", "x radiograph", "radiography", "plain film", "roentgenogram",
     "radiogram", "roentgen", "chest film", "xr", "x ray film",
     "cxr", "x光", "x线",
     "x射线", "x光片", "x线片", "胸片", "平片"),
    ("ultrasound", "us", "ultrasonography", "ultrasonographic", "sonography", "sonographic", "sonogram",
     "ultrasonogram", "usg", "echography", "echographic", "超声", "b超", "彩超"),
    ("pet", "positron emission tomography"), ("endoscopy", "endoscopic"), ("histology", "histological", "histologic"),
    ("axial", "transverse", "transversal", "transaxial", "horizontal", "transverse plane", "axial plane",
     "cross section", "cross sectional", "横断面", "横切面", "轴位", "轴状面", "横断位", "横轴位"),
    ("coronal", "frontal", "coronal plane", "frontal plane", "冠状面", "冠状位"),
    ("sagittal", "sagittal plane", "矢状面", "矢状位"),
    ("mass", "tumor", "tumour", "neoplasm"),
    ("hemorrhage", "haemorrhage", "bleeding", "bleed"), ("infarct", "infarction"),
    ("cardiomegaly", "enlarged heart", "cardiac enlargement", "enlarged cardiac silhouette",
     "enlargement of the heart", "heart is enlarged", "heart appears enlarged", "cardiac silhouette is enlarged",
     "cardiac silhouette enlarged"),
    ("fracture", "broken bone", "broken", "fractured"), ("calculus", "calculi", "stone"),
    ("kidney stone", "renal stone", "renal calculus", "nephrolithiasis"), ("gallstone", "cholelithiasis"),
    ("pulmonary embolism", "pulmonary embolus"), ("deep vein thrombosis", "dvt"), ("lymphadenopathy", "adenopathy"),
    ("left", "lt"), ("right", "rt"), ("anterior", "front"), ("posterior", "back"),
    ("right upper quadrant", "ruq"), ("left upper quadrant", "luq"), ("right lower quadrant", "rlq"),
    ("left lower quadrant", "llq"), ("right upper lobe", "rul"), ("right middle lobe", "rml"),
    ("right lower lobe", "rll"), ("left upper lobe", "lul"), ("left lower lobe", "lll"),
    ("hepatomegaly", "enlarged liver", "liver is enlarged"), ("splenomegaly", "enlarged spleen", "spleen is enlarged"), ("mammogram", "mammography", "mammographic"),
    ("angiogram", "angiography", "angiographic"), ("colon", "large bowel", "large intestine"), ("trachea", "windpipe"),
    ("spine", "backbone", "spinal column", "vertebral column"), ("esophagus", "gullet", "food pipe"), ("uterus", "womb"),
    ("clavicle", "collarbone"), ("scapula", "shoulder blade"), ("femur", "thigh bone"), ("patella", "kneecap"),
    ("sternum", "breastbone"), ("small bowel", "small intestine"), ("skull", "cranium"),
    ("pleural effusion", "fluid around the lung", "fluid in the pleural space", "pleural fluid"),
    ("fatty liver", "hepatic steatosis"), ("pneumothorax", "ptx", "collapsed lung"),
    ("kidney", "kidneys", "renal", "肾", "肾脏"), ("lung", "lungs", "pulmonary", "肺", "肺部"),
    ("liver", "hepatic", "肝", "肝脏"), ("heart", "cardiac", "心", "心脏"), ("spleen", "splenic", "脾", "脾脏"),
    ("stomach", "gastric", "胃"), ("bladder", "urinary bladder", "膀胱"), ("brain", "cerebral", "脑", "大脑"),
    ("chest", "thorax", "胸部"), ("abdomen", "belly", "腹部"), ("limb", "extremity"),
    ("none", "no", "nothing", "healthy", "normal", "no finding", "no abnormality", "no abnormal finding",
     "no acute finding", "no acute abnormality", "nothing abnormal", "unremarkable"),
    ("large", "big", "enlarged", "larger", "bigger", "largest", "biggest", "increased"),
    ("small", "little", "tiny", "smaller", "smallest", "decreased"),
    ("both", "both sides", "bilateral", "left and right"), ("center", "central", "centre", "middle"),
)  # fmt: skip
# Other words for a number.
_NUMBER_OF = {
    **NUMBER_WORDS,
    "single": "1",
    "solitary": "1",
    "lone": "1",
    "sole": "1",
    "pair": "2",
    "couple": "2",
    "twin": "2",
    "twins": "2",
    "duo": "2",
    "trio": "3",
    "triplet": "3",
    "quartet": "4",
    "triplets": "3",
    "dozen": "12",
}
_SHORT_NAMES = {
    str(number): frozenset({roman})
    for number, roman in enumerate(["ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"], start=2)
} | {"left": frozenset({"l", "lt"}), "right": frozenset({"r", "rt"})}
_HAN_NUMBERS = {"1": "一", "2": "两二", "3": "三", "4": "四", "5": "五", "6": "六", "7": "七", "8": "八", "9": "九"}
_HAN_COUNTERS = "个处枚条根颗只块"
# In an answer these mean the thing only where they are the value itself: "the renal artery", "the largest", "let us".
_NOT_LOOKED_FOR = frozenset(
    {"us", "horizontal", "frontal", "renal", "pulmonary", "hepatic", "cardiac", "cerebral", "none", "no", "nothing"}
    | {"larger", "bigger", "largest", "biggest", "increased", "little", "smaller", "smallest", "decreased"}
    | {"front", "back", "echographic", "endoscopic", "histological", "histologic"}
    | {"splenic", "gastric", "肾", "肺", "肝", "心", "脾", "脑", "胃"}
)
# Adjectives of parts of the body. They mean the part alone, or before what is found there or taken of it: "a renal cyst",
# "a thoracic radiograph", and not "the renal artery".
_ADJECTIVES = {
    "liver": "hepatic", "kidney": "renal", "lung": "pulmonary intrapulmonary", "heart": "cardiac myocardial",
    "spleen": "splenic", "stomach": "gastric", "brain": "cerebral intracerebral", "bladder": "vesical",
    "pancreas": "pancreatic", "colon": "colonic", "prostate": "prostatic", "thyroid": "thyroidal", "femur": "femoral",
    "tibia": "tibial", "fibula": "fibular", "humerus": "humeral", "radius": "radial", "ulna": "ulnar",
    "clavicle": "clavicular", "scapula": "scapular", "vertebra": "vertebral", "spine": "spinal", "rib": "costal",
    "bone": "osseous bony skeletal", "esophagus": "esophageal", "uterus": "uterine", "ovary": "ovarian",
    "breast": "mammary", "skin": "cutaneous", "muscle": "muscular", "aorta": "aortic", "trachea": "tracheal",
    "bronchus": "bronchial", "pleura": "pleural", "pericardium": "pericardial", "peritoneum": "peritoneal",
    "mediastinum": "mediastinal", "duodenum": "duodenal", "rectum": "rectal", "cecum": "cecal", "appendix": "appendiceal",
    "ureter": "ureteral ureteric", "cerebellum": "cerebellar", "skull": "cranial calvarial", "orbit": "orbital",
    "eye": "ocular", "jaw": "mandibular", "mandible": "mandibular", "larynx": "laryngeal", "cervix": "cervical",
    "testis": "testicular", "abdomen": "abdominal", "chest": "thoracic", "pelvis": "pelvic", "bowel": "intestinal",
    "intestine": "intestinal", "lymph node": "nodal", "ultrasound": "us echographic", "endoscopy": "endoscopic",
    "histology": "histological histologic", "coronal": "frontal", "axial": "horizontal", "neck": "cervical",
    "肝脏": "肝", "肾脏": "肾", "大脑": "脑", "心脏": "心", "脾脏": "脾", "胃": "胃",
}  # fmt: skip
# Those that hardly ever describe anything but the organ and what is in it.
ORGAN_ADJECTIVES = frozenset(
    {
        "hepatic",
        "renal",
        "pulmonary",
        "cardiac",
        "myocardial",
        "splenic",
        "gastric",
        "cerebral",
        "pancreatic",
        "colonic",
    }
    | {"prostatic", "esophageal", "uterine", "ovarian", "tracheal", "pleural", "pericardial", "duodenal", "rectal"}
    | {"cecal", "cerebellar", "bladder"}
)
_POSITIONS = frozenset(
    {"left", "right", "upper", "lower", "middle", "central", "anterior", "posterior", "superior", "inferior", "medial"}
    | {"lateral", "proximal", "distal"}
)
_DIRECTIONS = frozenset({"dorsal", "ventral", "cranial", "caudal", "peripheral", "axial", "coronal", "sagittal"})

# What a fact is stored without: "In the right lung." names the right lung.
_LEAD = re.compile(
    r"(?:(?:in|on|at|to|from|within|near)\s+(?=(?:the|an?|left|right|both|upper|lower)\b))?"
    # "A little" is an amount, and "little" another.
    r"(?:(?:the|an?(?!\s+(?:bit|couple|few|little|lot)\b))\s+)?(?=\S)",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\s*,\s*(?=[^\W\d])")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


@lru_cache(maxsize=65536)
def fact_form(value: str) -> str:
    """Return a value as a fact is stored: no leading article or preposition, no full stop, whole numbers whole.

    Builder and metric share this form. It keeps the letters' case; `fact_key` compares.

    >>> [fact_form(value) for value in ("In the right lung.", "The  heart", "2.0", "Right Lung,Upper Left", "A")]
    ['right lung', 'heart', '2', 'Right Lung, Upper Left', 'A']
    """
    bare = " ".join(unicodedata.normalize("NFC", value).split()).rstrip(".。").strip()
    bare = _COMMA.sub(", ", _LEAD.sub("", bare, count=1))
    number = _WHOLE_NUMBER.fullmatch(bare)
    return number[1] if number else bare


@lru_cache(maxsize=65536)
def fold_word(word: str) -> str:
    """Map a word to the form in which values are compared: digits, one spelling, singular."""
    word = _NUMBER_OF.get(word, word)
    if "." in word and (number := _WHOLE_NUMBER.fullmatch(word)):
        return number[1]
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-3] + "y" if word.endswith("ies") else word[:-2] if word.endswith("sses") else word[:-1]
    if len(word) > 4 and word.isascii() and not word.isdigit():
        for british, american in _BRITISH:
            word = british.sub(american, word)
    return SPELLINGS.get(word, word)


def fact_words(value: str) -> list[str]:
    """Return the folded words of a value as it is stored, without "some" or "any" before them."""
    words = [fold_word(piece) for piece in pieces_of(fact_form(value)) if is_word(piece)]
    return words[1:] if len(words) > 1 and words[0] in ("some", "any") else words


@lru_cache(maxsize=65536)
def _squeezed(value: str) -> str:
    return squeeze(fact_words(value), keep_numbers_apart=True)[0]


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[str, ...]]:
    return {_squeezed(name): group for group in SAME_THING for name in group}


def _group(value: str) -> tuple[str, ...]:
    """Return the names of the thing that a value names, where they are known."""
    return next((group for form in _number_forms(value) if (group := _groups().get(form))), ())


@lru_cache(maxsize=65536)
def _number_forms(value: str) -> frozenset[str]:
    """Return a value's squeezed form and those with a word in the other number: "metastasis", "metastases"."""
    words = fact_words(value)
    variants = {(*words[:at], form, *words[at + 1 :]) for at, word in enumerate(words) for form in number_forms(word)}
    if len(words) == 2:
        variants |= set(product(*map(number_forms, words)))
    return frozenset(squeeze(variant, keep_numbers_apart=True)[0] for variant in variants)


def _counts(number: str) -> frozenset[str]:
    """Return the ways to count a number of things in Chinese: "一个"."""
    ways = frozenset(han + counter for han in _HAN_NUMBERS.get(number, "") for counter in _HAN_COUNTERS)
    return ways | {"单发", "单个"} if number == "1" else ways


@lru_cache(maxsize=65536)
def forms(value: str) -> frozenset[str]:
    """Return every squeezed form under which the value is found in an answer.

    Its own in both numbers, other names, other orders of positions.
    """
    own = _squeezed(value)
    forms = _number_forms(value) | {own} | _counts(own)
    # "No" answers a question; the other names of nothing do not.
    if own != "no":
        for name in _group(value):
            if name not in _NOT_LOOKED_FOR:
                forms |= _number_forms(name)
    words = fact_words(value)
    if len(words) == 1 and (words[0] in _POSITIONS or words[0] in _DIRECTIONS):
        forms |= {own + "ly"}
    if 1 < len(words) <= 3 and _POSITIONS.issuperset(words):
        forms |= {"".join(order) for order in permutations(words)}
    return forms


def adjectives(value: str) -> frozenset[str]:
    """Return the adjectives of a part of the body, or of a scan, in folded form: "hepatic" of the liver."""
    names = _number_forms(value) | {_squeezed(name) for name in _group(value)}
    return frozenset(fold_word(word) for name, words in _adjective_table() if name in names for word in words.split())


@lru_cache(maxsize=1)
def _adjective_table() -> tuple[tuple[str, str], ...]:
    return tuple((_squeezed(name), words) for name, words in _ADJECTIVES.items())


def names_alone(value: str) -> frozenset[str]:
    """Return the squeezed names that mean the value only where they are the whole answer: "renal" for the kidney."""
    names = frozenset(_squeezed(name) for name in _group(value) if name in _NOT_LOOKED_FOR) - {"no"}
    return names | adjectives(value) | _SHORT_NAMES.get(_squeezed(value), frozenset())


@lru_cache(maxsize=65536)
def fact_key(value: str) -> str:
    """Return one key for all spellings of a fact: case, plural, number words, known other names aside."""
    return min(forms(value) | {_squeezed(name) for name in _group(value)})
