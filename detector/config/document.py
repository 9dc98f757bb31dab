"""A YAML document as plain values, within bounds.

YAML lets a small text stand for a huge document (aliases of aliases), lets a key stand twice, and has values that
Python cannot read. Each of these is an error that names the line and the path. An error never repeats a value,
which may be a secret.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import ReaderError

from detector.boundary.words import counted

LARGEST = 1_000_000
"""Characters of a document."""
DEEPEST = 40
"""Levels of maps and lists. The configuration has six."""
MOST_VALUES = 100_000
"""Values of a document, those that aliases repeat included."""
LONGEST_NUMBER = 100
"""Characters of a number."""


class DocumentError(Exception):
    """A text that is not a document within the bounds: where, and what is wrong there."""


def parse(text: str) -> Any:
    """The plain values of a document. Raises DocumentError."""
    if len(text) > LARGEST:
        raise DocumentError(f"the document has more than {counted(LARGEST, 'character')}")
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentError(f"{place}{error.problem or error.context}") from None
    except ReaderError as error:
        raise DocumentError(f"character {error.position + 1} is not allowed: {error.reason}") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Loader(yaml.SafeLoader):
    """Composes and constructs within the bounds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._path: list[str] = []
        self._depth = 0
        self._values = 0
        self._sizes: dict[int, int] = {}
        """Number of values below each composed node."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose a value. ``index`` is its place in a list, the node of its key, or None for a key itself."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stub has no types
        is_alias = self.check_event(yaml.AliasEvent)
        is_key = isinstance(parent, MappingNode) and index is None
        if index is not None:
            self._path.append(_name(index))
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error("maps and lists are nested too deeply", mark)
        before = self._values
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._sizes:
            raise self._error("an alias stands inside of what it repeats", mark)
        self._values += self._sizes[id(node)] if is_alias else 1
        if self._values > MOST_VALUES:
            raise self._error(
                f"the document has more than {counted(MOST_VALUES, 'value')}; aliases repeat them", mark
            )
        if not is_alias:
            self._sizes[id(node)] = self._values - before
        if isinstance(node, MappingNode) and not is_alias and not is_key:
            self._require_distinct_keys(node)
        if index is not None:
            self._path.pop()
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Construct a value. One that Python cannot read, such as 2026-13-45, is an error of the document."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError):
            raise ConstructorError(None, None, "a value that cannot be read", node.start_mark) from None

    def _require_distinct_keys(self, node: MappingNode) -> None:
        lines: dict[Hashable, int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                continue
            name = (key.tag, key.value)
            if name in lines:
                path = ".".join([*self._path, _name(key)])
                raise self._error(f"{path} stands twice; it is in line {lines[name]} too", key.start_mark, "")
            lines[name] = key.start_mark.line + 1

    def _error(self, problem: str, mark: Mark, place: str | None = None) -> MarkedYAMLError:
        path = ".".join(self._path) if place is None else place
        return MarkedYAMLError(problem=f"{path}: {problem}" if path else problem, problem_mark=mark)


def _name(index: Any) -> str:
    """A step of a path: the text of a key, or the place in a list."""
    return (
        str(index.value)[:100] if isinstance(index, ScalarNode) else str(index) if isinstance(index, int) else "?"
    )


def _number(loader: _Loader, node: ScalarNode) -> Any:
    if len(node.value) > LONGEST_NUMBER:
        problem = f"a number with more than {counted(LONGEST_NUMBER, 'character')}"
        raise ConstructorError(None, None, problem, node.start_mark)
    is_whole = node.tag == "tag:yaml.org,2002:int"
    return loader.construct_yaml_int(node) if is_whole else loader.construct_yaml_float(node)


for tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{tag}", _number)
