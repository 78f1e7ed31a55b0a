"""The words that deny, in one table, and how they are found in a text.

The cues are of the kinds that NegEx (Chapman 2001) and ConText (Harkema 2009) name: denials before and after, phrases
that look like a denial and are none, and words that end a scope. A hedge that leaves a thing possible denies nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

from mllmu_med_metrics.answers.pieces import word_set

_FREE_OF = (
    "free of/from", "devoid of", "clear of", "bereft of", "lack", "lacking", "lack of", "absence of", "absent",
    "without", "negative for", "missing", "unlikely", "improbable", "impossible", "inconceivable", "unlike",
)  # fmt: skip

# One table: kind -> cues. "a/b" is one word or the other; adverbs and "be" may stand between the words of a cue.
CUES = {
    # What turns the words after it into something denied, up to the end of the clause.
    "denies ahead": (
        "not", "never", "neither", "nor", "nothing", "nobody", "hardly", "scarcely", "denies/denied/deny", "nowhere",
        "fails/fail/failed/failure to", "unable to", "inability to", "unlikely", "improbable",
        "isnt", "arent", "wasnt", "dont", "doesnt", "didnt", "inconsistent/incompatible with",
        "doubtful that/whether/if/the/it/this", "doubt/doubts a/an/any", "doubt/doubts about/as", "yet to see/find/identify/detect/show",
        "least consistent/likely/compatible/suggestive/typical", "unaccompanied/uncomplicated by", "insufficient for", "less than", "replaces", "there once was/were", "there was/were once",
        "falls/fall/fell short of",
        "anything but", "far from", "not one/both of", "sparing/spares/spare",
        "little/scant evidence", "little to suggest/indicate/support/favor/favour", "zero", "0", "impossible",
        "unable to see/find/identify/detect", "used to be/have", "missing/lacking is/are", "let alone", "much/still less", "minus", "sans", "nary", "low suspicion/probability/likelihood for/of/that",
        "atypical/uncharacteristic for/of", "at odds with", "out of keeping with", "contradicts/contradict/negates/refutes/disproves", "insufficient evidence/signs",
        "non visualization/visualisation", "nonvisualization", "nonvisualisation", "not enough evidence/signs",
    ),
    # The same, and a list without "or" goes on after a comma: "no cyst, nodule, mass".
    "denies a list ahead": (
        "no", "none of/in/on/at", "negative for", "neg for", "nil", "disappearance/resolution/clearance/clearing of",
        "interval removal of", "complete regression/resorption/absorption of",
        "after/following/post/status resection/removal/excision/evacuation/extraction of",
        "status post resection/removal/excision/evacuation/extraction of",
        "s p resection/removal/excision/evacuation/extraction of",
    ),
    # The same, and the verb of which it is the subject ends it: "absence of a wall suggests a cyst".
    "names an absence": (
        "without", "lack of", "lacks", "lacking", "absence of", "want of", "dearth of", "absent", "free of/from", "clear of", "devoid of",
        "bereft of",
    ),
    # The other side of a comparison or choice. "It is" ends it.
    "compares": (
        "rather than", "instead of", "unlike", "in place of", "as opposed to", "than", "contrary to",
        "in contrast to/with", "by contrast with", "compared with/to", "in comparison with/to", "relative to",
        "differs/differ/different/distinct/distinguished/differing from", "contralateral to", "opposite to/of", "as against", "away from",
        "preferred to", "preferable to",
    ),
    # What is spoken against; "for" ends it.
    "speaks against": ("evidence/argues/argue/arguing/speaks/speak/speaking/militates/counts/count against",),
    # Denies that something is so. A denial of that says it after all: "I would not say that a cyst is absent".
    "denies a statement": (
        "not say/think/believe/claim/call/state/argue/conclude/maintain/agree/contend/suspect/pretend/assume that/there/this/it/the",
        "not say/think/believe/claim/call/state/argue/conclude/maintain/agree/contend/suspect a/an/any/no",
        "not true/correct/accurate/right/fair that/to", "not the case that", "not as if/though", "not that there/this/it/the",
        "not say/think/claim/feel/mean so", "doubt/doubts that/whether/if/the/it/this/there",
        "wrong/incorrect/false/untrue/inaccurate/mistaken/misleading/erroneous that",
        "wrong/incorrect/false/untrue/inaccurate/mistaken/misleading/erroneous/premature to say/claim/call/state/think/conclude",
        "wrong/incorrect/false/untrue/inaccurate/mistaken/misleading/erroneous to assume/report/read/describe",
        "mistake/error/stretch to say/claim/call/state/think/conclude/assume/report/read/describe",
        "no reason to say/think/believe/claim/suspect/assume/suppose/conclude", "hard/difficult/impossible to call",
        "no evidence/sign/signs/indication/indications/suggestion/proof that",
        "nothing to suggest/indicate/say that", "nothing suggests/indicates/says that",
        "nobody/none would/could/can/should/will say/call/claim/think/argue",
        "no one would/could/can/should/will say/call/claim/think/argue",
        "fail/fails to see how/why", "not see how/why", "not tell me/you", "disagree that/with", "reject/dispute the/that", "can/could hardly say/claim/call",
    ),
    # The first of two is denied: "less a cyst than a mass", "not so much a cyst as a mass".
    "less than": ("less a/an/like/of", "less likely/probably a/an"),
    "not so much": ("not so much",),
    # Looks like a denial and is none.
    "denies nothing": (
        "not/isnt only/just/merely/simply/solely/necessarily/purely/exclusively/wholly", "no doubt/question/wonder/surprise/further/matter",
        "no denying/mistaking/disputing/escaping/ignoring/overlooking/missing/gainsaying/contesting/hiding/disguising",
        "no getting around/past", "no way around", "little/hardly any doubt", "little/hardly/scant doubt/question",
        "not deny/denied/dispute/disputed/doubted/questioned", "without doubt/question/hesitation/exception/fail/reservation/difficulty", "without a doubt", "not help",
        "nothing short of", "nothing if not", "never before", "no sooner", "not until",
        "beyond doubt/question", "beyond a doubt", "no room for doubt",
        *(f"not/isnt/never/hardly/scarcely/no/nothing/neither/nor {cue}" for cue in _FREE_OF),
        *(f"far from/being {cue}" for cue in _FREE_OF), *(f"far from being {cue}" for cue in _FREE_OF),
        *(f"anything but {cue}" for cue in _FREE_OF), *(f"no/any means {cue}" for cue in _FREE_OF),
        "wrong/incorrect/mistake/error/foolish/hard/difficult/impossible to deny/miss/overlook/ignore/dismiss/dispute",
        "fails/fail/failed/failure to mention/treat/notice/note/report/recognize/recognise/diagnose/heal/resolve/respond/improve",
        "impossible/hard/difficult not to", "or may/might/could not", "no follow", "no reason to follow/treat/biopsy/remove/operate/worry", "not disagree", "not all/every", "not surprising/unexpected", "not a surprise", "no surprise that",
        "not unexpectedly/surprisingly/uncommonly/infrequently",
        "no small/less/fewer/more/other than",
        "none/nothing other/less/more/else than", "nothing but", "none but", "not more/less/fewer/other than",
        "not overlook/overlooked/miss/missed/ignore/ignored/forget/forgotten/neglect/neglected",
        "not to overlook/miss/ignore/forget/neglect",
                "not/never anything but/other/less/except", "no reason to doubt", "not doubt/doubtful", "gram negative",
        "no evidence/sign/signs against", "not rule/argue/speak against", "nothing speaks/argues against",
        "not distinguish/distinguished/distinguishable/differentiate/differentiated/separated/separable/separate from",
        "anything other than", "not to mention", "not forgetting", "no telling", "no hurry/contraindication to",
        "not distinguish/differentiate/tell/decide/choose between", "not expected/known/thought to",
        "were it not for", "it were/was not for", "if not for",
        "near/almost/nearly complete resolution/clearance/regression/clearing of",
        "incomplete/partial/near/delayed/slow/without resolution/clearance/regression/clearing of",
        # What is not done to a thing leaves the thing where it is.
        "not biopsy/biopsied/puncture/punctured/remove/removed/resect/resected/shrink/reduce/treat/treated/drain/drained",
        "not notice/noticed/feel/palpate/palpated/measure/measured/repair/repaired/affect/worsen/explain/operate/touch",
        "nothing can/could be done", "no one/doctor/radiologist noticed/saw/recognized/treated",
        "nobody noticed/saw/recognized/treated", "no need to/for",
    ),
    # Whatever it says is left possible, denied or not: "not certain that there is no cyst".
    "leaves open": (
        "not sure/certain/confident/convinced/persuaded/positive that/this/there/it/whether/if",
        "not clear/obvious/known/possible that/whether/if/how/when/where/why/what", "not exclude/rule that",
        "hard/difficult/impossible to say/tell/know/decide whether/if/that/how/when/where/why/what",
        "not say/tell/know/determine/decide whether/if/how/when/where/why/what",
    ),
    "limits a denial": ("beyond", "outside of", "barring", "excepting", "save"),
    "evidence after all": ("no further evidence/sign/signs/indication/suggestion",),
    # Denies what follows; inside a denial it ends the denial ("nothing other than a cyst").
    "exception": ("other than", "except for", "except", "save for", "but for", "with the exception of"),
    # Adds what follows ("besides a cyst"), and ends a denial.
    "addition": ("apart from", "aside from", "besides", "in addition to", "as well as"),
    # Excludes what follows or precedes, unless it is not done or still to be done: then it leaves it possible.
    "excludes": (
        "exclude/excludes/excluded/excluding", "eliminate/eliminates/eliminated/eliminating", "rule/rules/ruled/ruling out", "排 除", "除 外",
    ),
    "denies behind": (
        "absent", "unlikely", "improbable", "missing", "nowhere", "doubtful", "lacking", "wanting", "dismissed",
        "disregarded", "discounted", "impossible", "out of the question", "off the table/list", "in/on/at neither", "used to be/exist", "seen/found/present/visible in/on/at neither", "not something", "not among", "not part of", "not reproduced", "look/looks similar/alike", "spared", "unaffected", "uninvolved",
        "not/never developed/occurred/formed/arisen/affirmed",
        "outside the/of field/image/view/scan/plane/range/slice", "outside of the field/image/view/scan/plane/range/slice", "is/are/was/were no more",
        "fails/fail/failed to appear/show/materialize", "eludes/elude/escapes me/us", "not/never exist/exists/there",
        "not/never/neither seen/visible/visualized/visualised/present/identified/evident/found/detected/observed/noted/shown",
        "not/never/neither demonstrated/apparent/appreciated/affected/involved/used/performed/taken/acquired/applied/seeable",
        "not/never/neither confirmed/supported/proven/proved/suspected/suggested/recognized/recognised/corroborated",
        "not/never discernible/discerned/delineated/located/diagnosed/indicated/depicted/reported/mentioned/documented",
        "not/never included/displayed/pictured/imaged/likely/probable/plausible/expected/viewed/perceived/perceptible",
        "not/never made/encountered/revealed/established/considered/conspicuous/distinguishable/here/possible/hold",
        "not/never the case/answer/diagnosis/finding/cause/reason/organ/structure/modality/plane", "not/never in evidence/view/sight", "not borne out",
        "not/never captured/spotted/favored/favoured/substantiated/verified/realistic/credible/convincing",
        "not to be seen/found", "not something i/we see/find", "not something i/we can see/find", "not made out",
        "not a/the concern/feature/consideration/possibility/finding/candidate", "not an issue/option",
        "not see/find/identify/detect any/one/it/them/either/those/such", "no trace/sign/evidence/hint/suggestion",
        "no longer seen/visible/visualized/visualised/there/exist/exists/discernible/identifiable/suspected/perceptible",
        "no longer present/identified/evident/found/detected/observed/noted/shown/demonstrated/apparent/appreciated",
        "no longer recognizable/recognisable/detectable/opacified/palpable/felt/delineated/traceable", "not show up", "in vain", "yet to be found/seen/identified",
        "not occurred/demonstrable", "not stand/hold up", "discarded", "put aside", "by its/their absence",
        "without success", "not what", "not materialize", "less likely/probable/plausible than", "low/remote/little probability/likelihood/suspicion", "not/never identifiable/recognizable/recognisable/detectable",
        "not/never appreciable/noticeable/palpable/measurable/anywhere", "no longer measurable/appreciable/noticeable",
        "none seen/found/identified/visible/detected/noted/present/evident/demonstrated",
    ),
    # Says that what was said before is wrong: a denial that is wrong is none.
    "calls wrong": (
        "incorrect", "wrong", "false", "untrue", "mistaken", "refuted", "rejected", "disproved", "disproven",
        "not/never correct/right/true", "unfounded", "erroneous",
    ),
    "gone": (
        "resolved", "disappeared", "disappears/disappear", "cleared", "vanished", "gone", "subsided", "resorbed", "removed", "excised", "healed",
        "dissolved", "drained", "evacuated", "resected", "extracted", "withdrawn", "taken out", "regressed completely",
        "regressed fully", "re expanded", "reexpanded", "replaced by", "given way to", "turned into", "explanted",
        "eradicated", "aspirated", "abated", "receded completely", "cured", "ablated", "absorbed", "reabsorbed",
        "has/have passed", "relieved", "normalized", "normalised", "wiped out", "pulled", "clipped off", "melted away", "ceased", "dried up", "united", "repaired",
    ),
    "undoes": (
        "is/was/remains/remained incomplete/partial/pending/awaited/delayed/slow", "not assumed/guaranteed/granted",
    ),
    "one after all": (
        "there is/are", "there is/are one/some/now", "now there is/are one/some", "there now is/are one/some", "one is/was seen/present", "one can/could not exclude/excluded/ruled", "one is possible/likely", "one may/might present",
        "it is/was there/present/visible/obvious/evident",
    ),
    # Chinese, one character a word.
    "denies ahead, in Chinese": (
        "没", "没 有", "未", "未 见", "无", "不", "不 是", "并 非", "并 不", "并 没 有", "非", "而 非", "否 认",
        "而 不 是", "大 于", "小 于", "多 于", "少 于", "重 于", "不 存 在", "不 包 含", "不 包 括", "缺 乏", "缺 少", "不 像", "绝 非", "毫 无", "并 无", "而 无",
    ),
    "denies nothing, in Chinese": (
        "无 法 排 除", "不 能 排 除", "不 除 外", "不 能 除 外", "未 排 除", "未 能 排 除", "难 以 排 除", "不 排 除",
        "无 法 除 外", "无 法 确 定", "无 法 判 断", "无 法 区 分", "无 法 鉴 别", "不 能 确 定", "难 以 区 分", "未 除 外", "不 可 排 除", "尚 不 能 除 外", "有 无", "有 没 有", "是 不 是", "是 否", "毫 无 疑 问",
        "无 疑", "不 仅", "不 只", "不 但", "不 光", "不 变", "未 变", "不 如 说", "不 难 看", "不 可 否 认", "毋 庸",
        "没 有 变 化", "无 变 化", "无 明 显 变 化", "没 有 明 显 变 化", "没 错", "无 非", "不 单", "未 破 裂", "未 移 位", "未 愈 合", "未 闭 合", "不 完 全", "不 规 则", "不 均 匀", "不 典 型", "不 稳 定",
        "非 典 型", "无 需", "无 须", "不 必", "不 需", "无 症 状", "无 痛", "非 但", "除 非",
    ),
    "denies behind, in Chinese": (
        "未 见", "未 显 示", "未 发 现", "没 有", "不 存 在", "不 可 见", "不 明 显", "看 不 到", "看 不 见", "消 失",
        "缺 如", "阴 性", "没 有 显 示", "未 出 现", "不 成 立", "可 能 性 不 大", "可 能 性 小", "可 能 性 低",
        "可 能 性 较 小", "可 能 性 较 低", "可 能 性 极 小", "可 能 性 很 小", "可 能 性 很 低", "不 支 持", "不 考 虑",
        "不 符 合", "无 依 据", "未 显", "未 检 出", "未 查 见", "未 证 实", "不 可 能", "见 不 到",
    ),
    "gone, in Chinese": (
        "已 吸 收", "完 全 吸 收", "已 消 散", "消 散", "消 退", "治 愈", "痊 愈", "切 除", "清 除", "拔 除", "取 出",
        "已 愈 合", "已 溶 解", "已 复 张", "撤 除", "摘 除", "不 见",
    ),
}  # fmt: skip

# A word, and the trie behind it; under the empty word the kind of the cue that ends there.
Trie: TypeAlias = dict[str, Any]

# Adverbs and forms of "be" that may stand inside a cue without changing it.
_BETWEEN = word_set(
    "be been being likewise too again still yet also at all fully so very quite any well even longer both each to considered now 明 显 见 任 何 "
    "完 全 经 被 均 都"
)
# Words that stand in many texts, so that a cue is known by another of its words.
_COMMON = word_set(
    "of from for to out in as with is the on there it one i at after following are was were has have had do does can could "
    "would may might this that a an we you by be seen present found set s his its their these they so see find some now or"
)


def words_of(cues: Iterable[str]) -> list[tuple[str, ...]]:
    """Return cues as words, each way of a "one/other" by itself."""
    return [words for cue in cues for words in product(*(slot.split("/") for slot in cue.split()))]


def _insert(root: Trie, cues: Iterable[str], kind: str) -> Trie:
    for words in words_of(cues):
        node = root
        for word in words:
            node = node.setdefault(word, {})
        node.setdefault("", kind)
    return root


def trie_of_kinds(cues: Mapping[str, Iterable[str]]) -> Trie:
    """Return the trie of the cues of some kinds; of a cue in several kinds the first counts."""
    root: Trie = {}
    for kind, some in cues.items():
        _insert(root, some, kind)
    return root


def trie(*kinds: str) -> Trie:
    """Return the trie of the cues of some kinds of the table."""
    return trie_of_kinds({kind: CUES[kind] for kind in kinds})


def trie_of(*cues: str) -> Trie:
    """Return the trie of some cues that have no kind."""
    return _insert({}, cues, "")


def telling_words(*cues: tuple[str, ...]) -> frozenset[str]:
    """Return of each cue its first word that is rare elsewhere: without any of them no cue is there."""
    return frozenset(next((word for word in words if word not in _COMMON), words[0]) for words in cues)


def telling_words_of(*kinds: str) -> frozenset[str]:
    """Return the telling words of all cues of some kinds of the table."""
    return telling_words(*(words for kind in kinds for words in words_of(CUES[kind])))


def passing(piece: str) -> bool:
    """Say whether a word may stand inside a cue without changing it: an adverb, a form of "be"."""
    return piece in _BETWEEN or (piece.endswith("ly") and len(piece) > 4 and piece not in ("likely", "unlikely"))


def cue_of(pieces: Sequence[str], at: int, cues: Trie) -> tuple[int, str]:
    """Return the length, with the adverbs inside it, and the kind of the longest cue at a place; 0 where none is."""
    node = cues.get(pieces[at]) if at < len(pieces) else None
    longest, kind = 0, ""
    if node is None:
        return longest, kind
    place, total = at + 1, len(pieces)
    while True:
        if "" in node:
            longest, kind = place - at, node[""]
        following = place
        while following < total and pieces[following] not in node and following < place + 3:
            if not passing(pieces[following]):
                break
            following += 1
        if following >= total:
            break
        node = node.get(pieces[following])
        if node is None:
            break
        place = following + 1
    return longest, kind


def cue_at(pieces: Sequence[str], at: int, cues: Trie) -> int:
    """Return the length of the longest cue that starts at a place; 0 where none does."""
    return cue_of(pieces, at, cues)[0]


NO_DENIALS = trie("denies nothing", "denies nothing, in Chinese")
