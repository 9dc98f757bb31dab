"""What every page shares: templates that escape, one style sheet, and a policy that lets nothing else in.

Whatever a customer can name reaches a page through one door, ``Environment.finalize``, which spells out
invisible characters before autoescaping takes care of markup.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.boundary.text import visible
from detector.boundary.words import counted, long_day
from detector.reports import verdicts
from detector.reports.kinds import title
from detector.reports.page import charts
from detector.reports.templates import template_folder


@cache
def environment() -> Environment:
    """The templates with the filters that they use."""
    made = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": charts.number,
        "day": long_day,
        "short_day": charts.short_day,
        "kind": title,
        "counted": counted,
        "verdict": verdicts.WORDS.get,
    }
    return made


@cache
def assets(*scripts: str) -> dict[str, Markup]:
    """The style sheet and the named scripts, with the hashes that let the page run them and nothing else."""
    style = _text("report.css")
    script = "".join(_text(name) for name in scripts)
    allowed = f"script-src {_hash(script)}; " if script else ""
    policy = f"default-src 'none'; style-src {_hash(style)}; {allowed}base-uri 'none'; form-action 'none'"
    parts = {"style": style, "script": script, "csp": policy}
    return {name: Markup(text) for name, text in parts.items()}  # noqa: S704  our own files


def _text(name: str) -> str:
    return (template_folder() / name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """The one door for text: invisible characters spelled out, our own markup left alone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
