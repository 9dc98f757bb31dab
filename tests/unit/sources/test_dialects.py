"""Dialects: each states what is special about its database, and which guarantees it does not give."""

from __future__ import annotations

import logging
import sys
from configparser import ConfigParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url

from detector.config.plugins import SQL_DIALECTS
from detector.config.source import SqlSource
from detector.model.errors import SourceError
from detector.sources.sql.dialects import dialect_named
from detector.sources.sql.dialects.dialect import Guard
from detector.sources.sql.reader import SqlReader

SETUP = Path(__file__).parents[3] / "setup.cfg"


@pytest.mark.parametrize("name", SQL_DIALECTS)
def test_a_dialect_is_named_as_sqlalchemy_names_it(name: str) -> None:
    """The example of a URL gives the dialect that it belongs to."""
    url = make_url(dialect_named(name).url.replace("${PASSWORD}", "x"))
    assert url.get_backend_name() == name == url.get_dialect().name


@pytest.mark.parametrize("name", SQL_DIALECTS)
def test_the_extra_of_a_dialect_exists(name: str) -> None:
    """Errors and the reference name an extra that can be installed."""
    setup = ConfigParser(interpolation=None)
    setup.read(SETUP)
    extra = dialect_named(name).extra
    assert extra is None or extra in setup["options.extras_require"]


def test_postgresql_guarantees_everything() -> None:
    """Its sessions are read-only, in UTC and limited in time."""
    assert dialect_named("postgresql").not_guaranteed == ()


def test_a_connection_may_give_a_guarantee_without_a_statement() -> None:
    """A DuckDB file is opened read-only."""
    assert dialect_named("duckdb").not_guaranteed == (Guard.TIMEOUT,)


def test_an_unknown_database_gives_no_guarantees() -> None:
    """It is read in the same way as a typed database."""
    dialect = dialect_named("oracle")
    assert dialect.typed
    assert dialect.not_guaranteed == tuple(Guard)


@pytest.fixture
def unknown_url(tmp_path: Path) -> str:
    """The URL of a database that works and has no dialect here."""
    registry.register("quern", __name__, "Quern")
    (tmp_path / "usage.db").touch()
    return f"quern:///{tmp_path}/usage.db"


class Quern(SQLiteDialect_pysqlite):
    """SQLite under another name."""

    name = "quern"
    supports_statement_cache = True


def test_an_unknown_database_is_warned_of_once(unknown_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The warning names all missing guarantees."""
    source = SqlReader(SqlSource(url=unknown_url, usage="requests"), ZoneInfo("UTC"))
    for _ in range(2):
        with pytest.raises(SourceError, match="there is no table"):
            source.columns()
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage().startswith("source main: quern is not a database that is known here")
    assert all(guard in record.getMessage() for guard in Guard)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install the driver."""
    source = SqlReader(SqlSource(url="trino://user@localhost/catalogue", usage="requests"), ZoneInfo("UTC"))
    monkeypatch.setitem(sys.modules, "trino.sqlalchemy.dialect", None)
    monkeypatch.setattr(registry, "impls", {})
    with pytest.raises(SourceError, match=r"pip install 'key-usage-detector\[trino\]'"):
        source.columns()
