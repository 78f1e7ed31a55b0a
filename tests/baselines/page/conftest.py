"""The page of a study whose models' answers are known, read once: its tables as cells, its data as values."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from baselines.study.report import report
from tests.mllmu_med_tasks import fabricated

from .hostile import HOSTILE
from .made_study import half, made_study, refuse


class Read(HTMLParser):
    """What a page's markup holds: elements with attributes, texts of scripts and styles, tables by their ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self.tables: dict[str, list[list[tuple[str, str | None]]]] = {}
        self._open, self._table, self._cell = "", None, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._open = tag
        if tag == "table" and "id" in attributes:
            self._table = self.tables.setdefault(attributes["id"], [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table:
            self._cell = ["", attributes.get("data-value")]

    def handle_endtag(self, tag):
        self._open = ""
        if tag == "table":
            self._table = None
        elif tag in ("td", "th") and self._cell is not None:
            self._table[-1].append((self._cell[0].strip(), self._cell[1]))
            self._cell = None

    def handle_data(self, data):
        if self._open in self.inside:
            self.inside[self._open].append(data)
        if self._cell is not None:
            self._cell[0] += data


@dataclass(frozen=True)
class Page:
    """A study's folder, its report, and its page as text, elements and data."""

    folder: object
    document: dict
    text: str
    read: Read
    data: dict


def page_of(folder) -> Page:
    text = (folder / "report.html").read_text(encoding="utf-8")
    read = Read(text)
    document = json.loads((folder / "report.json").read_text())
    return Page(folder, document, text, read, json.loads(read.inside["script"][0]))


def hostile(row: dict) -> str:
    """Answer what breaks pages to what is to be forgotten."""
    return HOSTILE[int(row["id"][:6], 16) % len(HOSTILE)] if row["subset"] == "forget" else fabricated.honest(row)


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page of a study of three methods: one forgets half, one refuses, one says hostile things."""
    folder = made_study(tmp_path_factory.mktemp("page") / "study", {"ga": half, "idk": refuse, "gd": hostile})
    report(folder)
    return page_of(folder)
