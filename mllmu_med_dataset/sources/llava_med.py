"""LLaVA-Med instruction data (CC BY-NC 4.0) in its own layout: a JSON list of conversations about figures.

    {"id": "...", "image": "..._F2.jpg", "domain": {"chest_xray": false, "mri": false, "histology": false,
     "gross": false, "ct_scan": true}, "conversations": [{"from": "human", "value": "...\\n<image>"},
     {"from": "gpt", "value": "..."}, ...]}

Each question with its answer is a record; what else a row holds (the article's id, caption, mentions) is not read. The
figures come from PubMed Central under the licences of their articles, so pixels are never passed on. Answers are long:
they take private information as any, and a factual error only where a fact is marked: a yes or no, a short answer, or
the modality, where the row's ``domain`` says which it is and the answer names it in one place.
"""

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from mllmu_med_metrics.vocabulary import AnswerType, QuestionType

from ..building.left_out import EMPTY_ANSWER, EMPTY_QUESTION, LACKING, UNKNOWN_VALUE, WRONG_TYPE, Losses, UnusableRow
from ..errors import UserError, unknown
from ..injection.kinds import is_yes_no
from ..record import Record, clean_turn
from .answers import Answers, Item
from .attribution import Attribution
from .closed_sets import fact_of
from .images import Picture, SourceFiles, pictures
from .json_rows import json_rows
from .source import Source
from .wording import group, question_type

LICENSE = "CC-BY-NC-4.0"
# What the five domains are in the project's own words, and how an answer may name each; the first name is the shortest.
DOMAINS = {
    "chest_xray": ("X-ray", "chest", ("X-ray", "radiograph")),
    "ct_scan": ("CT", "", ("CT", "computed tomography")),
    "mri": ("MR", "", ("MRI", "magnetic resonance imaging", "magnetic resonance", "MR")),
    "histology": ("microscopy", "", ("histology", "histopathology", "microscopy")),
    "gross": ("photograph", "", ("gross pathology", "photograph")),
}
_SAID = ("conversations", "conversatons")


class Pair(TypedDict):
    """A question with its answer, cleaned."""

    source_id: str
    question: str
    answer: str
    fact: str | None
    question_type: QuestionType
    answer_type: AnswerType
    modality: str
    body_region: str


def records(
    *,
    path: Path | None,
    seed: int = 0,
    rows: str | None = None,
    images: str = "images",
    workers: int = 1,
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records of a LLaVA-Med folder or archive, conversation by conversation; the seed changes nothing here.

    ``rows`` names the JSON file (needed where there are several), ``images`` the folder the figures were downloaded to.
    Rows that can't be used are counted in ``losses``: not all articles still have their figures. Raises
    :class:`UserError` where more is lost than may be.
    """
    if path is None:
        raise UserError(
            "The source llava_med needs its folder or archive: --source-path DIR, holding llava_med_instruct_60k.json "
            "and images/."
        )
    with SourceFiles(path) as files:
        name = _rows_file(files, rows)
        losses = Losses() if losses is None else losses
        losses.source = str(path)
        answers = Answers()
        for _, pairs in _conversations(files, name, losses):
            for pair in pairs:
                answers.add(_item(pair))
        if not losses.total:
            raise UserError(f"{files.path}/{name} holds no rows. Take the file as LLaVA-Med distributes it.")
        losses.check()
        waiting: deque[tuple[str, list[Pair]]] = deque()

        def places() -> Iterator[str]:
            # The first pass has counted the rows whose text can't be used.
            for image, pairs in _conversations(files, name, Losses()):
                waiting.append((image, pairs))
                yield f"{images}/{image}" if images else image

        for place, made in pictures(files, places(), workers=workers):
            image, pairs = waiting.popleft()
            if isinstance(made, str):
                losses.image(image, made, rows=len(pairs))
                continue
            for pair in pairs:
                yield _record(pair, place, made, answers)
        losses.finish()


def _record(pair: Pair, image_path: str, image: Picture, answers: Answers) -> Record:
    return Record(
        source="llava_med",
        source_id=pair["source_id"],
        image_bytes=image.data,
        image_key=image.key,
        image_path=image_path,
        question=pair["question"],
        answer=pair["answer"],
        **answers.fields(_item(pair)),
        modality=pair["modality"],
        body_region=pair["body_region"],
        question_type=pair["question_type"],
        answer_type=pair["answer_type"],
        license=LICENSE,
        redistributable=False,
    )


def _item(pair: Pair) -> Item:
    return Item(
        question=pair["question"],
        fact=pair["fact"],
        group=group(pair["question_type"], pair["question"]),
        question_type=pair["question_type"],
        region=pair["body_region"],
        modality=pair["modality"],
        choices=_modality_names(pair["fact"]),
    )


def _rows_file(files: SourceFiles, rows: str | None) -> str:
    if rows is not None:
        return rows
    # The captions beside them are another file of the release.
    found = [one for one in files.find("*.json") if not one.endswith("captions.json")]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"'{files.path}' has no .json file. Put LLaVA-Med's instruction data there, such as "
            "llava_med_instruct_60k.json."
        )
    raise UserError(
        f"'{files.path}' has several .json files ({', '.join(found[:5])}{', ...' if len(found) > 5 else ''}). Name the "
        f"one to read: rows={found[0]}."
    )


def _conversations(files: SourceFiles, name: str, losses: Losses) -> Iterator[tuple[str, list[Pair]]]:
    """Yield the image and the questions of every row, each question counted as one."""
    rows = json_rows(files, name, required=("id", "image"), called="LLaVA-Med")
    for place, (image, pairs) in losses.each(rows, _conversation):
        losses.total += len(pairs) - 1
        sound = []
        for turn, pair in enumerate(pairs, start=1):
            if pair["question"] and pair["answer"]:
                sound.append(pair)
            else:
                empty = EMPTY_ANSWER if pair["question"] else EMPTY_QUESTION
                number = 2 * turn - (0 if pair["question"] else 1)
                losses.add(empty, place, f", turn {number} is empty. Take the file as LLaVA-Med distributes it.")
        if sound:
            yield image, sound


def _conversation(place: str, row: dict[str, object]) -> tuple[str, list[Pair]]:
    domain = _domain(row.get("domain"))
    modality, region, _ = DOMAINS[domain] if domain else ("", "", ())
    pairs: list[Pair] = []
    # Its own scripts take the misspelt key as well.
    said = next((row[key] for key in _SAID if row.get(key) is not None), None)
    for turn, (question, answer) in enumerate(_turns(said), start=1):
        kind = question_type(question, answer)
        answer_type: AnswerType = "CLOSED" if is_yes_no(answer) else "OPEN"
        fact = fact_of(answer, answer_type)
        if kind == "modality":
            fact = _named_modality(answer, domain)
        pairs.append(
            {
                "source_id": f"{row['id']}-{turn}",
                "question": question,
                "answer": answer,
                "fact": fact,
                "question_type": kind,
                "answer_type": answer_type,
                "modality": modality,
                "body_region": region,
            }
        )
    return str(row["image"]), pairs


def _domain(flags: object) -> str:
    """Return the one domain that is true of the image, or nothing where none or several are."""
    if flags is None:
        return ""
    if not isinstance(flags, dict):
        raise UnusableRow(WRONG_TYPE, " has a domain that is no object. Take the file as LLaVA-Med distributes it.")
    for name, true in flags.items():
        if name not in DOMAINS:
            raise UnusableRow(UNKNOWN_VALUE, f": {unknown('domain', name, DOMAINS)}")
        if not isinstance(true, bool):
            raise UnusableRow(WRONG_TYPE, f": the domain {name} is {true!r}, not true or false. Correct the row.")
    said = [name for name, true in flags.items() if true]
    return said[0] if len(said) == 1 else ""


def _turns(turns: object) -> list[tuple[str, str]]:
    """Return the questions with their answers; human and gpt take turns, the human first."""
    fix = "Take the file as LLaVA-Med distributes it."
    if not isinstance(turns, list) or not turns or len(turns) % 2:
        raise UnusableRow(LACKING, f" has no conversations, or one that ends without an answer. {fix}")
    said = []
    for number, turn in enumerate(turns):
        speaker = ("human", "gpt")[number % 2]
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str) or turn.get("from") != speaker:
            raise UnusableRow(WRONG_TYPE, f", turn {number + 1} is not a text from {speaker}. {fix}")
        said.append(clean_turn(turn["value"]))
    return list(zip(said[::2], said[1::2], strict=True))


def _named_modality(answer: str, domain: str) -> str | None:
    """Return the modality as the answer names it: of one domain only, and in one place only, so that it can be told
    wrongly by changing that word."""
    found = [
        (name, said[0])
        for name, (_, _, words) in DOMAINS.items()
        for said in re.finditer(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", answer, re.IGNORECASE)
    ]
    return found[0][1] if len(found) == 1 and found[0][0] == domain else None


def _modality_names(fact: str | None) -> tuple[str, ...]:
    """Return the closed set of a modality, its own word kept for its domain; empty for any other fact."""
    said = (fact or "").casefold()
    own = next((name for name, (_, _, words) in DOMAINS.items() if said in map(str.casefold, words)), None)
    if own is None or fact is None:
        return ()
    return tuple(sorted(fact if name == own else words[0] for name, (_, _, words) in DOMAINS.items()))


ATTRIBUTION = Attribution(
    title="LLaVA-Med: Training a Large Language-and-Vision Assistant for Biomedicine in One Day",
    by="Chunyuan Li, Cliff Wong, Sheng Zhang, Naoto Usuyama, Haotian Liu, Jianwei Yang, Tristan Naumann, Hoifung "
    "Poon, Jianfeng Gao",
    url="https://github.com/microsoft/LLaVA-Med",
    bibtex="""\
@inproceedings{li2023llavamed,
  title = {{LLaVA-Med}: Training a Large Language-and-Vision Assistant for Biomedicine in One Day},
  author = {Li, Chunyuan and Wong, Cliff and Zhang, Sheng and Usuyama, Naoto and Liu, Haotian and Yang, Jianwei and
            Naumann, Tristan and Poon, Hoifung and Gao, Jianfeng},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks Track},
  year = {2023}
}""",
)
SOURCE = Source(
    name="llava_med",
    records=records,
    needs_path=True,
    license="CC-BY-NC-4.0, images under the licences of their articles",
    summary="LLaVA-Med instruction data: 60,000 conversations about figures of PubMed Central; pixels stay with you.",
    redistributable=False,
    download="https://github.com/microsoft/LLaVA-Med",
    attribution=ATTRIBUTION,
)
