"""The state's tables and statements stay in the state's room."""

from __future__ import annotations

import ast
from pathlib import Path

import detector

ROOT = Path(detector.__file__).parent
ROOMS_WITH_SQL = ("state", "sources/sql")
HARMLESS = {"sqlalchemy.engine", "sqlalchemy.exc"}
"""To read a URL or to name an error is no statement."""
INSIDE = {f"detector.state.{name}" for name in ("tables", "migrations", "upgrade", "locks")}


def reaches_into_the_state(tree: ast.AST) -> set[str]:
    """What a module imports of SQLAlchemy and of the tables, and the connections that it opens."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split(".")[0] == "sqlalchemy"}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{name.name}" for name in node.names}
            if node.module.split(".")[0] == "sqlalchemy" and node.module not in HARMLESS:
                found |= names
            found |= {name for name in {node.module, *names} if name in INSIDE}
        elif isinstance(node, ast.Attribute) and node.attr in ("transaction", "reading"):
            found.add(node.attr)
    return found


def test_statements_are_written_where_the_tables_are() -> None:
    """Whoever changes a table finds every statement on it in one room."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        reaches = reaches_into_the_state(ast.parse(path.read_text()))
        if reaches and not place.startswith(ROOMS_WITH_SQL):
            found[place] = reaches
    assert found == {}


def test_a_statement_elsewhere_is_noticed() -> None:
    """By its import, by the table, or by the connection."""
    text = "from sqlalchemy import select\nfrom detector.state.tables import runs\nstate.transaction()"
    assert reaches_into_the_state(ast.parse(text)) == {
        "sqlalchemy.select",
        "detector.state.tables",
        "transaction",
    }
