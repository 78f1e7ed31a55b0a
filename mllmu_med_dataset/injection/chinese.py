"""The terms of radiology that Chinese data sets answer with, in English: values of both languages compare by one rule.

It is a glossary, not a translation: what it does not know stays, one character a word.
"""

import re
import unicodedata
from functools import lru_cache

HAN = re.compile(r"[\u3400-\u9fff]")

_TERMS = {
    "left": ("左侧", "左边", "左部", "左方", "左"),
    "right": ("右侧", "右边", "右部", "右方", "右"),
    "upper": ("上侧", "上方", "上部", "上"),
    "lower": ("下侧", "下方", "下部", "下"),
    "top": ("顶部", "顶端", "顶"),
    "bottom": ("底部", "底端", "底"),
    "center": ("中心", "中间", "中部", "中央"),
    "both": ("双侧", "两侧", "都是", "双"),
    "lobe": ("叶",),
    "lung": ("肺脏", "肺部", "肺"),
    "heart": ("心脏",),
    "liver": ("肝脏", "肝部", "肝"),
    "spleen": ("脾脏", "脾"),
    "kidney": ("肾脏", "肾"),
    "stomach": ("胃部", "胃"),
    "brain": ("大脑", "脑部", "脑"),
    "brain stem": ("脑干",),
    "temporal lobe": ("颞叶",),
    "large bowel": ("大肠",),
    "small bowel": ("小肠",),
    "colon": ("结肠",),
    "rectum": ("直肠",),
    "duodenum": ("十二指肠",),
    "intestine": ("肠道", "肠"),
    "bladder": ("膀胱",),
    "gallbladder": ("胆囊",),
    "pancreas": ("胰腺", "胰脏"),
    "esophagus": ("食管", "食道"),
    "trachea": ("气管",),
    "bronchus": ("支气管",),
    "larynx": ("喉部", "喉"),
    "thyroid": ("甲状腺",),
    "spinal cord": ("脊髓",),
    "spine": ("脊柱", "脊椎"),
    "mandible": ("下颌骨", "下颚"),
    "parotid": ("腮腺",),
    "eye": ("眼睛", "眼球", "眼"),
    "ear": ("耳朵", "耳"),
    "tooth": ("牙齿", "牙"),
    "femoral head": ("股骨头",),
    "chest": ("胸腔", "胸部", "胸"),
    "abdomen": ("腹部", "腹腔", "腹"),
    "head": ("头部", "头"),
    "neck": ("颈部", "颈"),
    "pelvis": ("盆腔", "骨盆"),
    "body": ("躯干", "身体"),
    "transverse plane": ("横断面", "横断位", "横切面", "轴位"),
    "coronal plane": ("冠状面", "冠状位"),
    "sagittal plane": ("矢状面", "矢状位"),
    "x-ray": ("x光片", "x光", "x射线", "x线"),
    "mri": ("核磁共振成像", "核磁共振", "磁共振成像", "磁共振"),
    "ultrasound": ("超声波", "超声"),
    "weighted": ("加权",),
    "hyperdense": ("高密度",),
    "hypodense": ("低密度",),
    "black": ("黑色",),
    "white": ("白色",),
    "gray": ("灰色",),
    "dark gray": ("深灰色",),
    "light gray": ("浅灰色",),
    "circular": ("圆形",),
    "oval": ("椭圆形", "椭圆"),
    "irregular": ("不规则",),
    "u shaped": ("u形",),
    "edema": ("水肿",),
    "tumor": ("肿瘤", "瘤"),
    "cancer": ("癌症", "癌"),
    "mass": ("肿块",),
    "nodule": ("结节",),
    "enhancing": ("增强型", "增强"),
    "nonenhancing": ("非增强型",),
    "pneumonia": ("肺炎",),
    "pneumothorax": ("气胸",),
    "effusion": ("积液",),
    "pleural effusion": ("胸腔积液", "胸水"),
    "atelectasis": ("肺不张",),
    "cardiomegaly": ("心脏肥大", "心影增大"),
    "infiltration": ("浸润",),
    "hydrocephalus": ("脑积水",),
    "fracture": ("骨折",),
    "inflammation": ("炎症",),
    "abnormal": ("异常", "病变"),
    "normal": ("正常",),
    "healthy": ("健康",),
    "disease": ("疾病",),
    "treatment": ("治疗", "疗法"),
    "medical": ("药物",),
    "surgical": ("手术",),
    "supportive": ("支持性", "支持"),
    "infection": ("感染",),
    "none": ("没有", "不存在", "无"),
    "system": ("系统",),
}  # fmt: skip
_ENGLISH = {chinese: english for english, names in _TERMS.items() for chinese in names}
_KNOWN = re.compile("|".join(sorted(map(re.escape, _ENGLISH), key=len, reverse=True)))


def is_chinese(text: str) -> bool:
    """Return whether a text has Chinese characters."""
    return bool(HAN.search(text))


@lru_cache(maxsize=1 << 14)
def gloss(text: str) -> str:
    """Return a text with the Chinese terms that are known in English, unknown characters as words of their own.

    >>> gloss("左肺, 右侧"), gloss("X光"), gloss("Left lung")
    ('left lung, right', 'x-ray', 'Left lung')
    """
    if not is_chinese(text):
        return text
    folded = unicodedata.normalize("NFKC", text).casefold().replace("、", ", ").replace("和", ", ")
    known = _KNOWN.sub(lambda term: f" {_ENGLISH[term.group()]} ", folded)
    return " ".join(HAN.sub(lambda character: f" {character.group()} ", known).split()).replace(" ,", ",")
