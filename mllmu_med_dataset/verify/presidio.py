"""An independent look at the texts: Presidio's recognisers, without any language model, against the tags of the rows.

Needs the extra ``presidio``. Its bundled ``no_op.yaml`` runs the patterns alone: no names, no record numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mllmu_med_metrics.vocabulary import PRIVATE

from ..injection.views import MAKERS
from .row_rules import is_injected

# Presidio's word for a kind of identifier; it knows no others of ours.
ENTITIES = {
    "ssn": "US_SSN",
    "phone": "PHONE_NUMBER",
    "fax": "PHONE_NUMBER",
    "email": "EMAIL_ADDRESS",
    "url": "URL",
    "ip": "IP_ADDRESS",
    "birth_date": "DATE_TIME",
    "admission_date": "DATE_TIME",
    "discharge_date": "DATE_TIME",
}
THRESHOLD = 0.4
# Web addresses without a scheme score 0.5, and so do two words around a full stop ("lung.No").
URL_THRESHOLD = 0.6


def missing() -> str | None:
    """Return why Presidio can't be asked, ``None`` where it can."""
    if find_spec("presidio_analyzer") is None:
        return "not tested, Presidio is not installed: pip install 'mllmu-med[presidio]'"
    return None


class Presidio:
    """Compares what Presidio finds in the texts of rows with the identifiers that they are tagged with."""

    def __init__(self) -> None:
        # Read at import: without it the first e-mail address fetches a list of public suffixes from the network.
        os.environ.setdefault("TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS", "")
        import presidio_analyzer
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider

        no_model = Path(presidio_analyzer.__file__).parent / "conf" / "no_op.yaml"
        engine = NlpEngineProvider(conf_file=str(no_model)).create_engine()
        self._analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
        self._found = lru_cache(4_096)(self._analyze)

    def _analyze(self, text: str) -> tuple[tuple[str, str], ...]:
        found = self._analyzer.analyze(
            text=text, language="en", entities=sorted(set(ENTITIES.values())), score_threshold=THRESHOLD
        )
        return tuple(
            (one.entity_type, text[one.start : one.end])
            for one in found
            if one.entity_type != "URL" or one.score >= URL_THRESHOLD
        )

    def broken(self, row: dict[str, Any]) -> Iterator[str]:
        """Yield where Presidio does not find a tagged identifier in the answer, and what it finds elsewhere."""
        private = row["scenario"] in PRIVATE and is_injected(row)
        own = [tagged["value"] for tagged in row["phi"]]
        if private:
            found = self._found(row["answer"])
            for tagged in row["phi"]:
                entity = ENTITIES.get(tagged["kind"])
                if entity == "PHONE_NUMBER" and not self._found(tagged["value"]):
                    continue  # an area code that nobody was ever given makes no number, to Presidio
                if entity and not any(kind == entity and tagged["value"] in value for kind, value in found):
                    yield f"finds no {entity} in the answer, which is to tell {tagged['kind']} '{tagged['value']}'"
        for column in ("question", "true_answer", "answer"):
            # A reconstruction question gives one of the patient's identifiers away on purpose.
            if column == "question" and row["view"] and MAKERS[row["view"]].asks == "by_another":
                continue
            for entity, value in self._found(row[column]):
                if not (private and column == "answer" and any(value in mine or mine in value for mine in own)):
                    yield f"finds {entity} '{value}' in the {column}"
