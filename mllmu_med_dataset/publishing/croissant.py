"""Croissant metadata of a build: every file with its sha256, every config and split as a record set.

Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html) with its Responsible AI vocabulary. The
addresses of the files are relative: the document stands beside them, in the folder and on the Hub.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..injection.patients import canary
from ..record import features
from ..sources.attribution import PAPER

# What the words of the document mean; the specification asks for it in every document.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **{
        word: f"cr:{word}"
        for word in (
            "citeAs", "column", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes",
            "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
            "repeated", "replace", "separator", "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}  # fmt: skip
_TYPES = {"string": "sc:Text", "int32": "sc:Integer", "bool": "sc:Boolean"}


def croissant(
    made: Mapping[str, Any],
    tables: Mapping[str, str],
    *,
    fields: Mapping[str, str],
    licenses: Sequence[str],
    described: Mapping[str, str],
    cite: str,
) -> dict[str, Any]:
    """Return the document of a build.

    ``tables`` are the sha256 of its Parquet files by name, ``fields`` what each column says, ``described`` what each
    config holds, ``licenses`` addresses or names, ``cite`` BibTeX.
    """
    parameters = made["parameters"]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": "mllmu-med",
        "description": (
            "Biomedical visual questions with fictitious private information or factual errors integrated into some "
            "of the answers: what a model should unlearn, what it should keep, what it should never have known."
        ),
        "url": PAPER.url,
        "license": list(licenses) if len(licenses) > 1 else licenses[0],
        "citeAs": cite,
        "version": f"{parameters['build_version']}.0.0",
        "keywords": ["machine unlearning", "biomedical", "visual question answering", "privacy"],
        "rai:dataCollection": (
            f"Built from {', '.join(parameters['sources'])} by a program, every choice by sha256 of ids and a seed."
        ),
        "rai:personalSensitiveInformation": (
            "All identifiers are fictitious by construction (ranges that are never issued, reserved domains). "
            f"Canary: {canary()}."
        ),
        "rai:dataUseCases": "Measuring how models unlearn private information and wrong facts. Not for clinical use.",
        "rai:dataLimitations": "Wrong answers are wrong on purpose; sentences come from templates.",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "encodingFormat": "application/x-parquet",
                "sha256": sha,
            }
            for name, sha in sorted(tables.items())
        ],
        "recordSet": [
            _record_set(config, split, fields, described[config])
            for config, splits in made["content"].items()
            for split in splits
        ],
    }


def _record_set(config: str, split: str, fields: Mapping[str, str], described: str) -> dict[str, Any]:
    columns = features(config.split("_")[0]).items()
    name, file = f"{config}/{split}", f"data/{config}/{split}-00000-of-00001.parquet"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": described,
        "key": {"@id": f"{name}/id"},
        "field": [_field(name, file, column, feature, fields[column]) for column, feature in columns],
    }


def _field(parent: str, file: str, column: str, feature: Any, told: str) -> dict[str, Any]:
    name = f"{parent}/{column}"
    field: dict[str, Any] = {"@type": "cr:Field", "@id": name, "name": column, "description": told}
    inner = getattr(feature, "feature", None)
    if inner is not None:
        field["repeated"] = True
    if isinstance(inner, dict):
        parts = [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{part}",
                "name": part,
                "dataType": _TYPES[one.dtype],
                "source": _source(file, column, part),
            }
            for part, one in inner.items()
        ]
        return {**field, "subField": parts}
    if type(feature).__name__ == "Image":
        return {**field, "dataType": "sc:ImageObject", "source": _source(file, column, "bytes")}
    dtype = feature.dtype if inner is None else inner.dtype
    return {**field, "dataType": _TYPES[dtype], "source": _source(file, column)}


def _source(file: str, column: str, part: str | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": file}, "extract": {"column": column}}
    return source if part is None else {**source, "transform": {"jsonPath": part}}
