"""English, Latin and Greek plurals: the forms under which a word of a value is looked for."""

_IRREGULAR = {
    "foot": "feet", "tooth": "teeth", "man": "men", "woman": "women", "child": "children", "femur": "femora",
    "corpus": "corpora", "viscus": "viscera", "genus": "genera", "crus": "crura", "os": "ossa", "iris": "irides",
}  # fmt: skip
_SINGULARS = {plural: word for word, plural in _IRREGULAR.items()}
# Ending of the singular -> of the plural, as a plain final "s" is left off ("metastases" -> "metastase"). Rows are read
# both ways, so a value may be given in either number.
_ENDINGS = (
    ("itis", "itide"), ("sis", "se"), ("xis", "xe"), ("is", "e"), ("us", "i"), ("us", "use"), ("um", "a"), ("on", "a"),
    ("a", "ae"), ("ma", "mata"), ("men", "mina"), ("ix", "ice"), ("ex", "ice"), ("yx", "yce"), ("nx", "nge"),
    ("ax", "ace"), ("ux", "uce"), ("ch", "che"), ("sh", "she"), ("x", "xe"), ("o", "oe"), ("f", "ve"), ("fe", "ve"),
    ("z", "ze"), ("en", "ina"),
)  # fmt: skip
_SHORTEST_STEM = 2


def number_forms(word: str) -> frozenset[str]:
    """Return a word without its final "s", and what it may be in the other number, as far as its ending tells.

    Some are no words ("lesia"): nothing is found under them.

    >>> sorted(number_forms("bronchus")), "ganglion" in number_forms("ganglia"), "tooth" in number_forms("teeth")
    (['bronchi', 'bronchus', 'bronchuse'], True, True)
    """
    variants = {word}
    for table in (_IRREGULAR, _SINGULARS):
        if word in table:
            variants.add(table[word])
    if not word.isalpha() or not word.isascii():
        return frozenset(variants)
    for one, many in _ENDINGS:
        for ending, other in ((one, many), (many, one)):
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and len(word) > 3:
                variants.add(word[: -len(ending)] + other)
    return frozenset(variants)
