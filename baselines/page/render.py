"""A page put together: one file with its style, its script and its data inside, and a policy that lets nothing else in.

The policy names the style and the script by their digests, so that no other can run, from wherever it came in; the
data is a JSON block, which no browser runs, with every sign escaped that could end it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mllmu_med_dataset.atomic import write_atomically

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def write(path: Path, template: str, data: Mapping[str, object], **values: object) -> None:
    """Render a template with values, the data and the page's own style and script in it, whole or not at all."""
    write_atomically(path, render(template, data, **values))


def render(template: str, data: Mapping[str, object], **values: object) -> str:
    """Return the page as HTML."""
    style, script = _own("page.css"), _own("page.js")
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    inside = {"style": Markup(style), "script": Markup(script), "data": json_block(data)}
    return templates("baselines.page").get_template(template).render(policy=policy, **inside, **values)


def json_block(data: object) -> Markup:
    """Return data as the inside of a script element of JSON: no text in it can end the element or begin another.

    >>> json_block("</script><!--")
    Markup('"\\\\u003c/script\\\\u003e\\\\u003c!--"')
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign, escaped in _ESCAPED.items():
        text = text.replace(sign, escaped)
    return Markup(text)


@cache
def templates(package: str, folder: str = "templates") -> Environment:
    """Return the templates in a folder of a package: what is put into one is escaped, what it lacks is an error."""
    return Environment(
        loader=PackageLoader(package, folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


@cache
def _own(name: str) -> str:
    return (files("baselines.page") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
