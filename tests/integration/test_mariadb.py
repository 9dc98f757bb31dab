"""Sessions and keys of MariaDB, which is reached like MySQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from detector.model.errors import SourceError
from detector.sources.sql.dialects import dialect_named
from tests.databases import DAY, counted, reader

AT = "2026-01-02 10:00:00"


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Connection]:
    """A connection to a database without a table of usage."""
    engine = create_engine(mariadb_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP VIEW IF EXISTS `usage`"))
        connection.execute(text("DROP TABLE IF EXISTS `usage`"))
        yield connection
        connection.execute(text("DROP VIEW IF EXISTS `usage`"))
    engine.dispose()


def test_nothing_can_be_written(mariadb: Connection, mariadb_url: str) -> None:
    """The server refuses within a read-only transaction."""
    mariadb.execute(text("CREATE TABLE `usage` (timestamp DATETIME, key_id VARCHAR(20))"))
    with pytest.raises(SourceError, match="READ ONLY"), reader(mariadb_url)._connected() as connection:
        connection.execute(text("DELETE FROM `usage`"))


def test_a_statement_that_takes_too_long_is_an_error(mariadb: Connection, mariadb_url: str) -> None:
    """A slow view does not delay the run for ever. MariaDB calls its limit differently from MySQL."""
    slow = f"SELECT TIMESTAMP'{AT}' AS timestamp, MAX(SHA2(seq, 512)) AS key_id FROM seq_1_to_10000000000"
    mariadb.execute(text(f"CREATE VIEW `usage` AS {slow}"))
    with pytest.raises(SourceError, match="max_statement_time"):
        list(reader(mariadb_url, statement_timeout=1).usage(DAY, DAY))


def test_the_session_of_mysql_has_its_own_limit() -> None:
    """MySQL knows no max_statement_time."""
    session = dialect_named("mysql").session.values()
    assert [statement for statement in session if "max_" in statement] == ["SET max_execution_time = {timeout}000"]


@pytest.mark.parametrize("kind", ["VARCHAR(20)", "VARCHAR(20) CHARACTER SET latin1", "CHAR(20)", "TEXT"])
def test_keys_that_the_collation_takes_for_the_same_are_apart(
    mariadb: Connection, mariadb_url: str, kind: str
) -> None:
    """Letters that differ in case or accent are different keys, also as endpoints and clients."""
    columns = f"timestamp DATETIME, key_id {kind}, endpoint {kind}, client {kind}"
    mariadb.execute(text(f"CREATE TABLE `usage` ({columns})"))
    for key in ("a", "A", "é", "e", "ß", "ss", "a "):
        mariadb.execute(text("INSERT INTO `usage` VALUES (:at, :key, '/x', :key)"), {"at": AT, "key": key})
    source = reader(mariadb_url)
    assert counted(source) == {"a": (2, 0), **dict.fromkeys(("A", "é", "e", "ß", "ss"), (1, 0))}
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["client_count"].tolist() == [1] * 6
