"""A configuration file read, filled in and validated."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from detector.boundary.masking import remember_secret
from detector.boundary.suggestions import did_you_mean_or_all
from detector.config.config import Config, _absolute, _absolute_url, _siblings
from detector.config.document import LARGEST, DocumentError, parse
from detector.config.source import SOURCE_KINDS, FilesSource, HttpSource, SourceSettings, SqlSource
from detector.config.urls import VARIABLE, filled_in
from detector.model.errors import ConfigError

DEFAULT_PATH = Path("config.yaml")
FORMER_KEYS = {
    "history.first_pull_nights": "history.first_pull_days",
    "history.settle_nights": "history.settle_days",
    "history.keep_nights": "history.keep_days",
    "detection.baseline_nights": "detection.baseline_days",
    "detection.minimum_nights": "detection.minimum_days",
    "detection.dormant_after_nights": "detection.dormant_after_days",
    "schedule.catch_up_nights": "schedule.catch_up_days",
    "serve.most_nights": "serve.most_days",
}
"""Keys of earlier versions: what they are called now."""

_IS_ADDRESS = re.compile(r"(?:^|[._])url$")
"""The end of the path of a setting that is an address."""


def load(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> Config:
    """Read, override, fill in the environment, resolve paths and validate.

    ``overrides`` are ``a.b=value`` texts, values in YAML. Raises ConfigError naming the path of the fault.
    """
    document = _read(path)
    for override in overrides:
        _override(document, override)
    try:
        config = Config.model_validate(_substitute(document, environment, ""))
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors())) from None
    return _resolve(config, path.resolve().parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            document = parse(file.read(LARGEST + 1))
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration at {path}; name one with --config, or try `python -m detector demo`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except DocumentError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold a mapping with at least a source")
    return document


def _override(document: dict[str, Any], text: str) -> None:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {name}: write it as section.key=value")
    *sections, last = name.strip().split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {name}: {section} is a value, not a section")
    try:
        place[last] = parse(value)
    except DocumentError as error:
        raise ConfigError(f"--set {name}: the value is not valid YAML: {error}") from None


def _substitute(value: Any, environment: Mapping[str, str], path: str) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(item, environment, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, environment, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def read(name: str) -> str:
        if name not in environment:
            raise ConfigError(f"{path}: the environment variable {name} is not set")
        if is_parameter:
            remember_secret(environment[name])
        return environment[name]

    is_parameter = path.startswith("source.parameters.")
    if _IS_ADDRESS.search(path) and not is_parameter:
        return filled_in(value, read)
    return VARIABLE.sub(lambda found: read(found[1]), value)


def _explain(problem: Any) -> str:
    """One pydantic problem in our words. The offending value is not repeated: it may be a secret."""
    kinds = {kind.__name__ for kind in get_args(get_args(SourceSettings)[0])}
    place = [part for part in problem["loc"] if part not in SOURCE_KINDS and part not in kinds]
    path = ".".join(str(part) for part in place)
    if problem["type"] == "extra_forbidden":
        if path in FORMER_KEYS:
            return f"unknown key {path}: it is called {FORMER_KEYS[path]} now"
        return f"unknown key {path}{did_you_mean_or_all(str(place[-1]), _siblings(problem['loc']))}"
    if problem["type"] == "missing":
        return f"{path} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}" if path else message


def _resolve(config: Config, base: Path) -> Config:
    source: FilesSource | SqlSource | HttpSource = config.source
    history = _absolute(config.history.path, base)
    changes: dict[str, Any]
    if isinstance(source, FilesSource):
        patterns = (source.usage,) if isinstance(source.usage, str) else source.usage
        usage = tuple(_absolute(pattern, base) for pattern in patterns)
        changes = {"usage": usage, "keys": source.keys and _absolute(source.keys, base)}
    elif isinstance(source, HttpSource):
        changes = {"snapshots": _absolute(source.snapshots or str(Path(history).parent / "snapshots"), base)}
    else:
        changes = {"url": _absolute_url(source.url, base)}
    metrics = config.monitoring.metrics_file
    return config.model_copy(
        update={
            "source": source.model_copy(update=changes),
            "history": config.history.model_copy(update={"path": history}),
            "state": config.state.model_copy(update={"url": _absolute_url(config.state.url, base)}),
            "report": config.report.model_copy(update={"directory": _absolute(config.report.directory, base)}),
            "monitoring": config.monitoring.model_copy(
                update={"metrics_file": metrics and str(base / Path(metrics).expanduser())}
            ),
        }
    )
