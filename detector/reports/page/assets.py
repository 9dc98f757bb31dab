"""The parts that all pages share: the template environment, the style sheet and the content security policy.

All text from outside passes ``Environment.finalize``, which spells out invisible characters. Autoescaping then
makes markup harmless.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.boundary.text import visible
from detector.boundary.words import counted, long_day
from detector.judging.finding_types import finding_type
from detector.reports import outcomes, verdicts
from detector.reports.page import charts
from detector.reports.templates import template_folder


@cache
def environment() -> Environment:
    """The template environment with its filters."""
    templates = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "number": charts.number,
        "day": long_day,
        "short_day": charts.short_day,
        "kind": _title,
        "counted": counted,
        "verdict": verdicts.WORDS.get,
        "outcome": outcomes.WORDS.get,
    }
    return templates


@cache
def assets(*scripts: str) -> dict[str, Markup]:
    """The style sheet, the named scripts, and the policy that allows a page to run these and nothing else."""
    style = _text("report.css")
    script = "".join(_text(name) for name in scripts)
    allowed = f"script-src {_hash(script)}; " if script else ""
    policy = f"default-src 'none'; style-src {_hash(style)}; {allowed}base-uri 'none'; form-action 'none'"
    parts = {"style": style, "script": script, "csp": policy}
    return {name: Markup(text) for name, text in parts.items()}  # noqa: S704  texts of the package's own files


def _title(kind: str) -> str:
    return finding_type(kind).title


def _text(name: str) -> str:
    return (template_folder() / name).read_text(encoding="utf-8")


def _visible_text(value: object) -> object:
    """Spell out invisible characters in a text; markup of this package passes unchanged."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
