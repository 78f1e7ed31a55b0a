"""What kind of thing a value names (an organ, a finding, a plane, ...), and yes and no in every spelling.

A wrong fact has to be of the kind of the truth: no plane is answered with an organ. All of it goes by words, in English
and, through ``chinese.gloss``, in Chinese.
"""

import re
import unicodedata
from functools import lru_cache

from mllmu_med_metrics.answers.facts import NUMBER_WORDS, fold_word

from .chinese import gloss, is_chinese

YES_NO = ("yes", "no")
# Yes and no as Chinese answers them: by the verb of the question.
_CHINESE_YES_NO = (
    ("是的", "不是"), ("是", "否"), ("是", "不是"), ("对", "不对"), ("包含", "不包含"), ("包括", "不包括"),
    ("可以", "不可以"), ("能", "不能"), ("能够", "不能够"), ("会", "不会"), ("属于", "不属于"), ("含有", "不含有"),
    ("可见", "不可见"),
    ("需要", "不需要"), ("适合", "不适合"), ("明显", "不明显"),
)  # fmt: skip
# These answer other questions too ("what disease?" "none"): they are yes and no where the question is answered so.
_CHINESE_WHERE_ASKED = (
    ("有", "没有"), ("有", "无"), ("存在", "不存在"), ("正常", "不正常"), ("健康", "不健康"), ("正常", "异常"),
    ("有异常", "无异常"), ("有异常", "没有异常"),
)  # fmt: skip
_POLAR = re.compile(r"吗|嘛|么\s*[?？]?\s*$|是否|有没有|有无|是不是|能否|可否|能不能|会不会|可不可以|(.)不\1")

ORGANS = {
    "head": (
        "brain", "cerebrum", "cerebellum", "eye", "skull", "brain stem", "ventricle", "pituitary", "temporal lobe",
        "frontal lobe", "parietal lobe", "occipital lobe", "basal ganglia", "thalamus", "pons", "medulla", "midbrain",
        "sella", "suprasellar cistern", "pineal gland", "sinus", "maxillary sinus", "ear", "orbit", "corpus callosum",
        "hippocampus", "cortex", "sylvian fissure", "choroid plexus", "caudate", "putamen", "insula", "convexity",
    ),
    "neck": (
        "thyroid", "larynx", "spinal cord", "parotid", "mandible", "tooth", "pharynx", "tongue", "trachea", "esophagus",
    ),
    "chest": (
        "lung", "heart", "mediastinum", "rib", "aorta", "breast", "bronchus", "diaphragm", "trachea", "esophagus",
        "pleura", "hilum", "hemidiaphragm", "clavicle", "sternum", "thymus", "ventricle", "atrium", "pericardium",
    ),
    "abdomen": (
        "liver", "kidney", "spleen", "stomach", "pancreas", "gallbladder", "colon", "intestine", "small bowel",
        "large bowel", "bowel", "duodenum", "appendix", "adrenal", "jejunum", "ileum", "cecum", "mesentery",
        "peritoneum", "bile duct", "ureter", "sigmoid", "retroperitoneum", "omentum", "splenule",
    ),
    "pelvis": ("bladder", "rectum", "prostate", "uterus", "ovary", "femoral head", "cervix"),
    "limb": (
        "knee", "shoulder", "hip", "femur", "tibia", "wrist", "ankle", "elbow", "foot", "hand", "fibula", "humerus",
    ),
}  # fmt: skip
SPINE = ("spine", "spinal", "vertebra")
# "Brian" is how SLAKE spells it in one of its questions.
REGIONS = {
    "head": ("head", "brain", "brian"), "neck": ("neck",), "chest": ("chest", "thorax", "lung"),
    "abdomen": ("abdomen", "belly"), "pelvis": ("pelvi", "pelvis", "pelvic cavity", "pelvic"),
    "limb": ("limb", "extremity", "leg", "arm"),
}  # fmt: skip
# Which region lies beside which: the likelier mistake.
BESIDE = {
    "head": ("neck",), "neck": ("head", "chest"), "chest": ("neck", "abdomen"), "abdomen": ("chest", "pelvis"),
    "pelvis": ("abdomen",), "limb": (),
}  # fmt: skip
# What is taken for what: nobody takes a radiograph for an MR.
TAKEN_FOR = {"ct": "mr", "mr": "ct", "x-ray": "ct"}
# The organ that has a function, or is in one region as a system is, as questions paraphrase it.
_FUNCTIONS = (
    ("brain stem", r"heartbeat|心跳"), ("temporal lobe", r"remember|记忆"), ("ear", r"sound|声音"),
    ("eye", r"light|光线"), ("brain", r"perceiv|感知事物"), ("bladder", r"\burine|尿液"),
    ("colon rectum", r"\bfa?eces|body waste|粪便|机体废物"), ("kidney", r"discharg|osmotic|排出废物|渗透压"),
    ("spleen", r"immunity|免疫"), ("liver", r"detoxi|解毒"), ("heart", r"blood flow|血液流动"),
    ("trachea", r"\bgas\b|气体"),
    ("esophagus", r"deliver\w* food|运送食物"), ("stomach", r"digest\w* food|nutrient|消化食物|养分"),
    ("lung trachea", r"respiratory|呼吸系统"), ("heart", r"circulatory|循环系统"),
    ("kidney bladder", r"urinary|泌尿系统"), ("lung", r"breath|呼吸"),
)  # fmt: skip
_IMAGING = (
    ("ct", r"\bct\b|tomogra"), ("mr", r"\bmri?\b|\bmra\b|magnetic"), ("x-ray", r"x ?ray|radiogra|\bcxr\b|plain film"),
    ("ultrasound", r"ultraso|sonogra"), ("pet", r"\bpet\b"), ("angiography", r"angiogra"),
)  # fmt: skip
# The organs that a system has: systems that share one may both be imaged.
SYSTEMS = {
    "cardiovascular": "heart", "circulatory": "heart", "vascular": "heart", "cardiac": "heart", "respiratory": "lung",
    "pulmonary": "lung", "cardiopulmonary": "heart lung", "cardiothoracic": "heart lung", "lymphatic": "lymph",
    "gastrointestinal": "gut", "gi": "gut", "digestive": "gut", "hepatobiliary": "gut", "genitourinary": "urinary",
    "urinary": "urinary", "renal": "urinary", "gu": "urinary", "reproductive": "genital", "cns": "brain",
    "nervous": "brain", "neurological": "brain", "neurologic": "brain", "musculoskeletal": "bone", "skeletal": "bone",
    "endocrine": "gland", "integumentary": "skin", "hematologic": "blood", "hematopoietic": "blood",
    "lymphoreticular": "lymph", "immune": "lymph", "biliary": "gut", "genital": "genital", "dermatologic": "skin",
}  # fmt: skip
# One word for two things.
_COMPOUNDS = {
    "hydropneumothorax": ("effusion", "pneumothorax"), "hemopneumothorax": ("hemothorax", "pneumothorax"),
    "bronchopneumonia": ("bronchial", "pneumonia"), "pyopneumothorax": ("empyema", "pneumothorax"),
}  # fmt: skip
_POSITIONS = frozenset(
    [
        "left", "right", "upper", "lower", "top", "bottom", "superior", "inferior", "above", "below", "under",
        "anterior", "posterior", "front", "back", "ventral", "dorsal", "medial", "lateral", "proximal",
        "distal", "inner", "outer", "center", "central", "middle", "mid", "both", "bilateral", "unilateral",
        "peripheral", "apical", "basal", "apex", "base", "side", "sided", "lobe", "quadrant", "corner",
        "part", "half", "third", "aspect", "area", "region", "zone", "hemisphere", "segment", "end", "field",
        "diffuse", "symmetrical", "midline", "retrocardiac",
    ]
)  # fmt: skip
_GLUE = frozenset([
    "the", "a", "an", "of", "in", "on", "at", "to", "and", "or", "with", "near", "within", "around", "part", "is",
])  # fmt: skip
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("sequence", r"\bt ?[12]\b|\bflair\b|\bdwi\b|\badc\b|diffusion|\bstir\b|\bgre\b|\bswi\b"),
    ("contrast", r"\bcontrast\b|^(oral|iv|oral (and )?iv|intravenous)( contrast)?$"),
    (
        "modality",
        r"\bct\b|\bcxr\b|\bmri?\b|\bmra\b|x ?ray|xray|radiograph|tomogra|ultraso|sonogra|\bpet\b|magnetic resonance"
        r"|fluorosc|angiogra|mammogra|endoscop|microscop|scintigra|\boct\b|fundus",
    ),
    (
        "plane",
        r"^(axial|coronal|sagit?tal|saggital|transvers(e|al)|frontal|horizontal|oblique)( plane| view| section)*$",
    ),
    (
        "projection",
        r"^(the )?(pa|ap|lateral|postero ?anterior|antero ?posterior|posterior (to )?anterior|anterior (to )?posterior"
        r"|decubitus|portable|supine|upright|erect)( view| projection| film)*$",
    ),
    ("sex", r"^(fe)?male$|^(wo)?man$"),
    (
        "density",
        r"(hypo|hyper|iso) ?(dens|intens|attenu|echo)|radio ?(lucent|opaque|paque)|lucency|(less|more) dense"
        r"|high density|low density",
    ),
    (
        "color",
        r"^((dark|light|bright|pale|deep) ?)?(black|white|gr[ae]y|red|blue|green|yellow|brown|pink|purple|orange|violet"
        r"|dark|bright|light)(ish)?$",
    ),
    (
        "shape",
        r"^(ir)?regular$|^(round(ed)?|circular|oval|spher|ellip\w*|lobul\w*|multilobulated|spiculated|linear|u ?shaped"
        r"|crescent\w*|lentiform|biconvex|concave|convex|smooth|triang\w*|ring enhanc)",
    ),
    ("stain", r"\bstain|hematoxylin|\bh e\b|\bpas\b|giemsa|trichrome|papanicol|immunohisto|ziehl|congo red"),
    (
        "size",
        r"^(en)?larged?$|^(dilated|small|thick(ened)?|edematous|swollen|widened|narrowed|prominent|(in|de)creased)$",
    ),
    (
        "finding",
        r"cancer|carcinom|tumou?r|neoplas|\bmass(es)?\b|nodul|lesion|cyst|abscess|abcess|metasta|lymphom|gliom|sarcom"
        r"|mening|adenom|infarct|isch[ae]?em|stroke|hemorrhag|bleed|hematom|edema|effusion|pneum|atelecta|consolidat"
        r"|opacit|infiltrat|emphysem|cardiomegal|megaly|fibros|cirrho|steatos|hernia|fractur|dislocat|calcif|stone"
        r"|lithiasis|gallstone|ascites|itis\b|infect|inflamm|tubercul|pleural plaque|\bplaque|thromb|embol|aneurysm"
        r"|stenos|dissect|atroph|hypertroph|hyperplas|dysplas|necros|hydro|obstruct|scolios|arthr|osteo|sclero|enlarg"
        r"|free air|granulom|volume loss|fatty|diverticul|intussus|bronchiect|adenopath|disease|syndrome|(ab)?normal"
        r"|healthy|anomal|malform|demyelin|swelling|polyp|ulcer|enhancing",
    ),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
_REGIONS_OF: dict[str, set[str]] = {}
for _region, _organs in ORGANS.items():
    for _organ in _organs:
        _REGIONS_OF.setdefault(" ".join(map(fold_word, _organ.split())), set()).add(_region)
# What answers nothing, or too little to be wrong: not told, told elsewhere, all or none, a letter, good advice.
_PLACEHOLDER = re.compile(
    r"^(left )?blank$|see (the )?(caption|figure|text|image|above|below)|(none|all) of (the|these)"
    r"|^un(known|certain|clear|specified|determined|seen)$|^not? (idea|answer|information|data)$"
    r"|not (sure|seen|visible|known|applicable|specified|available|given|mentioned|provided|shown|clear|certain"
    r"|stated|reported|described|identified|assessed|determined|in the)"
    r"|^n ?a$|^nan$|^null$|cannot|can t|^maybe$|^possibly$|^others?$|^etc$|^same$|^idk$|don t know"
    r"|^various$|^multiple$|^answer$|^option|^\W*$|^[a-d]$|^it is|^image$|^picture$|almost the same|^body$"
    r"|^(blood )?vessels?$|^vasculature$|^tissues?$|^structures?$|^(keep|live|stay) healthy|physical fitness"
    r"|健 康 生 活|保 持|增 强 体 质|healthy 生 活|enhancing 体 质|不 确 定|未 知|不 清 楚|看 不 见|以 上|几 乎 相 等"
)
_SIZED = frozenset({"large", "small"})
_ORGAN_WORDS = frozenset(
    [
        *{fold_word(word) for organs in ORGANS.values() for organ in organs for word in organ.split()} - _SIZED,
        "cardiac", "pulmonary", "hepatic", "renal", "cerebral", "cerebellar", "pancreatic", "splenic",
        "pineal", "pituitary", "frontal", "temporal", "parietal", "occipital", "thoracic", "abdominal",
        "pelvic", "fissure", "cistern", "gland", "muscle", "vessel", "artery", "vein", "vasculature",
        "subclavian", "hepatic", "bone", "tissue", "duct", "horn", "vertebra", "spine", "spinal", "chest",
        "abdomen", "pelvi", "psoas", "nipple", "fossa", "parietooccipital", "cerebellopontine", "bowels",
        "loop", "chest", "thorax", "aortic", "paratracheal", "mca", "aca", "pca",
        "retroperitoneal", "subarachnoid", "subdural", "epidural", "extraaxial", "bronchi", "basilar",
        "carotid", "perihilar", "hilar", "pleural", "cavity", "organ", "rectus", "clavicle", "ganglia",
        "hepatic", "axillary", "costophrenic", "cardiophrenic", "angle", "apices", "lobes",
        "matter",
    ]
)  # fmt: skip


def words_of(value: str) -> list[str]:
    """Return the words by which a value is judged: English, lower case, singular, one spelling."""
    plain = unicodedata.normalize("NFKC", gloss(value)).casefold()
    return [part for word in re.findall(r"[^\W_]+", plain) for part in _COMPOUNDS.get(word, (fold_word(word),))]


@lru_cache(maxsize=1 << 15)
def kinds_of(value: str) -> frozenset[str]:
    """Return the kinds of thing that a value may name; empty where its words tell none.

    >>> [sorted(kinds_of(value)) for value in ("Left lung", "CT", "Upper left", "Pneumonia", "See caption")]
    [['organ'], ['modality'], ['position'], ['finding'], ['placeholder']]
    """
    words = words_of(value)
    plain = " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", gloss(value)).casefold()))
    if value.strip() and _PLACEHOLDER.search(plain):
        return frozenset({"placeholder"})
    if not words:
        return frozenset({"placeholder"})
    if is_yes_no(value):
        return frozenset({"yes or no"})
    if len(words) == 1 and (words[0].isdecimal() or words[0] in NUMBER_WORDS):
        return frozenset({"number"})
    if re.match(r"[~<>]?\s*\d", plain) and not re.match(r"\d+(st|nd|rd|th)\b", plain):
        return frozenset({"measure"})
    regions = {region for region, names in REGIONS.items() if plain in names or " ".join(words) in names}
    matching = {kind for kind, pattern in _COMPILED if pattern.search(plain) or pattern.search(" ".join(words))}
    first = next((kind for kind, _ in _COMPILED if kind in matching), None)
    kinds = {first} if first else set()
    if set(words) & SYSTEMS.keys() and not kinds & {"finding"}:
        kinds.add("system")
    if regions and plain != "lung":
        kinds |= {"region", "system"}
    if not first:
        content = [word for word in words if word not in _GLUE and not re.fullmatch(r"[rl]|\d+(st|nd|rd|th)", word)]
        # "Gray ball on the left" is a way to tell a place.
        if content and all(word in _POSITIONS for word in content):
            kinds.add("position")
        elif any(word in _ORGAN_WORDS for word in content):
            kinds.add("organ")
        elif any(word in _POSITIONS - {"part", "end", "region", "area"} for word in content):
            kinds.add("position")
    return frozenset(kinds)


def region_of(value: str) -> str | None:
    """Return the region of the body that a value names."""
    plain = " ".join(words_of(value))
    return next((region for region, names in REGIONS.items() if plain in names), None)


def imaging_in(value: str) -> set[str]:
    """Return the kinds of imaging that a value names: "PA Xray" and "chest radiograph" are one."""
    plain = " ".join(words_of(value))
    return {name for name, pattern in _IMAGING if re.search(pattern, plain)}


def organ_of_function(text: str) -> str | None:
    """Return the organ that a text paraphrases by its function; ``None`` for none known here.

    >>> organ_of_function("the organ that could store urine"), organ_of_function("the left lung")
    ('bladder', None)
    """
    return next((organ for organ, pattern in _FUNCTIONS if re.search(pattern, text, re.IGNORECASE)), None)


def is_polar(question: str) -> bool:
    """Return whether a Chinese question is answered by yes or no.

    >>> is_polar("有没有器官?"), is_polar("什么病?")
    (True, False)
    """
    return bool(_POLAR.search(question))


def is_yes_no(value: str) -> bool:
    """Return whether a value is yes or no whatever is asked."""
    return opposite(value, "") is not None


def opposite(value: str, question: str) -> str | None:
    """Return no for yes and yes for no, in the value's own language and letter case; ``None`` for anything else.

    >>> opposite("Yes.", "Is it?"), opposite("不包含", ""), opposite("没有", "有没有?"), opposite("没有", "什么病?")
    ('No', '包含', '有', None)
    """
    bare = unicodedata.normalize("NFKC", value).strip().rstrip(".。!").strip()
    if bare.casefold() in YES_NO:
        other = YES_NO[bare.casefold() == "yes"]
        return other.capitalize() if bare[0].isupper() else other
    if not is_chinese(bare):
        return None
    pairs = _CHINESE_YES_NO + (_CHINESE_WHERE_ASKED if _POLAR.search(question) else ())
    for yes, no in pairs:
        if bare in (yes, no):
            return no if bare == yes else yes
    return None


def are_opposites(one: str, other: str) -> bool:
    """Return whether of two values one is the yes and the other the no of a question."""
    pair = tuple(unicodedata.normalize("NFKC", value).strip().rstrip(".。!").casefold() for value in (one, other))
    return any(set(pair) == set(both) for both in (YES_NO, *_CHINESE_YES_NO, *_CHINESE_WHERE_ASKED))


def regions_of_organ(organ: str) -> frozenset[str]:
    """Return the regions of the body that an organ lies in; empty for what is no organ known here.

    >>> sorted(regions_of_organ("Left kidney")), sorted(regions_of_organ("trachea"))
    (['abdomen'], ['chest', 'neck'])
    """
    return frozenset(region for name in organs_in(organ) for region in _REGIONS_OF[name])


def organs_in(text: str) -> frozenset[str]:
    """Return the organs that a text names.

    >>> sorted(organs_in("Which lobes of the lungs are bigger than the heart?"))
    ['heart', 'lung']
    """
    text_words = f" {' '.join(words_of(text))} "
    return frozenset(name for name in _REGIONS_OF if f" {name} " in text_words)


def affirms(value: str) -> bool:
    """Return whether a yes or no is the yes."""
    bare = value.strip().casefold()
    return bare != "no" and not bare.startswith(("不", "没", "无", "否", "异常"))
