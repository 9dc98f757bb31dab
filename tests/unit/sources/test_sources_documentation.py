"""The recipes in docs/sources.md work as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from detector.config.load import load
from detector.config.plugins import PRESETS
from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources import open_source
from tests.conformance.table import batches

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"
LOG_FILES = re.search(r"^## Log files$(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S)
RECIPES = re.findall(r"```yaml\n(source:\n.*?)```", LOG_FILES.group(1) if LOG_FILES else "", re.S)
READ = re.findall(
    r"^\| (time|day|count|status|error|key) \| `(.*)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M
)


def test_values_are_read_as_the_page_says() -> None:
    """The tests of all engines hold every value of the page."""
    known = {batch.kind: batch.rows for batch in batches() if batch.name == f"{batch.kind} as text"}
    assert len(READ) > 20
    for kind, written, meaning in READ:
        assert known["instant" if kind == "time" else kind].get(written) == meaning, written


def test_there_is_a_recipe_for_every_preset() -> None:
    """Users find presets on this page."""
    shown = {yaml.safe_load(recipe)["source"].get("preset") for recipe in RECIPES}
    assert shown >= set(PRESETS) - {"apache"}
    assert all(re.search(rf"^#### .*`{name}`", PAGE.read_text(encoding="utf-8"), re.M) for name in PRESETS)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_a_valid_configuration(recipe: str, tmp_path: Path) -> None:
    """The configuration loads, and the source fails only because the files do not exist."""
    (tmp_path / "config.yaml").write_text(recipe, encoding="utf-8")
    config = load(tmp_path / "config.yaml", environment={"DETECTOR_KEY_SALT": "a salt for tests alone"})
    assert isinstance(config.source, FilesSource)
    missing = config.source.model_copy(update={"usage": f"{tmp_path}/nothing", "keys": None})
    source = open_source(missing, ZoneInfo("UTC"))
    assert len(source.keys()) == 0
    with pytest.raises(SourceError, match="no file matches"):
        source.watermark()
