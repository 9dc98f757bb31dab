"""The configuration: strict, typed, with the environment for secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.boundary.masking import without_secrets
from detector.config.load import FORMER_KEYS, load
from detector.config.source import FilesSource, SqlSource
from detector.model.errors import ConfigError

MINIMAL = "source: {kind: files, usage: data/*.csv}\n"


@pytest.fixture
def write(tmp_path: Path):
    """Write a configuration and return its path."""

    def _write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return _write


def test_a_source_alone_is_a_configuration(write) -> None:
    """Everything else has a default."""
    config = load(write(MINIMAL))
    assert config.timezone == "UTC"
    assert config.detection.alerts_per_1000_keys == 1
    assert config.detection.deployments == {"production": "live", "staging": "test"}


def test_relative_paths_are_relative_to_the_file(write, tmp_path: Path) -> None:
    """Files, folders and SQLite databases alike."""
    config = load(write(MINIMAL + "state: {url: 'sqlite:///x.db'}\n"))
    assert isinstance(config.source, FilesSource)
    assert config.source.usage == (str(tmp_path / "data/*.csv"),)
    assert config.history.path == str(tmp_path / "var/history")
    assert config.state.url == f"sqlite:///{tmp_path}/x.db"


def test_an_unknown_key_names_its_path_and_the_nearest_allowed_one(write) -> None:
    """A typo is an error, with a hint."""
    with pytest.raises(ConfigError, match=r"detection\.baseline_day, did you mean baseline_days\?"):
        load(write(MINIMAL + "detection: {baseline_day: 3}\n"))
    with pytest.raises(ConfigError, match=r"source\.colums, did you mean columns\?"):
        load(write("source: {kind: files, usage: a.csv, colums: {}}\n"))
    with pytest.raises(ConfigError, match=r"unknown key sorce, did you mean source\?"):
        load(write(MINIMAL + "sorce: {}\n"))


def test_an_organization_without_a_name_is_refused(write) -> None:
    """An empty variable would show the keys of nobody, and in the state it stands for no organization."""
    with pytest.raises(ConfigError, match="organization"):
        load(write("organization: ''\nsource: {kind: files, usage: u.csv}\n"))


def test_an_unknown_column_names_the_allowed_ones(write) -> None:
    """Column maps are checked too."""
    with pytest.raises(ConfigError, match=r"columns\.timestam .* did you mean timestamp\?"):
        load(write("source: {kind: files, usage: a.csv, columns: {timestam: ts}}\n"))


def test_an_unknown_preset_names_the_nearest(write) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigError, match=r"source\.preset: there is no 'ngnix', did you mean nginx\?"):
        load(write("source: {kind: files, usage: a.log, preset: ngnix}\n"))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("timezone: Mars/Olympus\n", "timezone: 'Mars/Olympus' is not a time zone"),
        ("detection: {alerts_per_1000_keys: -1}\n", "detection.alerts_per_1000_keys"),
        ("detection: {deployments: {production: prod}}\n", "detection.deployments.production"),
        ("state: {url: not-a-url}\n", "state.url: not a SQLAlchemy URL"),
        ("report: {formats: [pdf]}\n", "report.formats.0: there is no 'pdf'; allowed: csv, html, json, ndjson"),
        ("report: {formats: [html, jsno]}\n", "report.formats.1: there is no 'jsno', did you mean json?"),
    ],
)
def test_a_wrong_value_names_its_path(write, extra: str, message: str) -> None:
    """The path comes first, then what is wrong."""
    with pytest.raises(ConfigError) as caught:
        load(write(MINIMAL + extra))
    assert message in str(caught.value)


def test_secrets_come_from_the_environment(write) -> None:
    """``${NAME}`` is replaced; a name that is not set is an error that names the place."""
    path = write("source: {kind: sql, url: 'postgresql+psycopg://me:${DB_PASSWORD}@db/usage', usage: requests}\n")
    config = load(path, environment={"DB_PASSWORD": "s3cret"})
    assert isinstance(config.source, SqlSource)
    assert "s3cret" in config.source.url
    with pytest.raises(ConfigError, match=r"source\.url: the environment variable DB_PASSWORD is not set"):
        load(path, environment={})


def test_a_password_is_encoded_where_it_lands_in_an_address(write) -> None:
    """In those of channels too; elsewhere a value stays as it is."""
    more = (
        "source: {kind: sql, url: 'postgresql+psycopg://me:${PW}@db/usage', usage: requests}\n"
        "state: {url: 'postgresql+psycopg://me:${PW}@db/state'}\n"
        "delivery: {chat: [{url: 'mailtos://me:${PW}@mail.example'}]}\n"
        "organization: '${PW}'\n"
    )
    config = load(write(more), environment={"PW": "a@b/c"})
    assert isinstance(config.source, SqlSource)
    assert config.source.url == "postgresql+psycopg://me:a%40b%2Fc@db/usage"
    assert config.state.url == "postgresql+psycopg://me:a%40b%2Fc@db/state"
    assert config.delivery.chat[0].url.get_secret_value() == "mailtos://me:a%40b%2Fc@mail.example"
    assert config.organization == "a@b/c"


SECRET_PLACES = {
    "password of a database": "source: {kind: sql, url: 'postgresql+psycopg://me:${S}@db/u', usage: r}",
    "query of a database": "source: {kind: sql, url: 'postgresql+psycopg://db/u?password=${S}', usage: r}",
    "state": MINIMAL + "state: {url: 'postgresql+psycopg://me:${S}@db/u'}",
    "salt": "source: {kind: files, usage: a.csv, key_salt: '${S}'}",
    "token": "source: {kind: http, url: 'https://api.internal', token: '${S}'}",
    "parameter": "source: {kind: http, url: 'https://api.internal', token: t, parameters: {account: '${S}'}}",
    "literal": "source: {kind: http, url: 'https://api.internal', token: t, parameters: {api_key: canary-77}}",
    "mail": MINIMAL
    + "delivery: {mail: {host: h, username: u, password: '${S}', from: a@b.example, to: [c@d.example]}}",
    "chat": MINIMAL + "delivery: {chat: [{url: 'json://me:${S}@chat.example'}]}",
    "splunk": MINIMAL + "delivery: {splunk: [{url: 'https://s.example', token: '${S}'}]}",
    "elasticsearch": MINIMAL
    + "delivery: {elasticsearch: [{url: 'https://e.example', authorization: 'ApiKey ${S}'}]}",
    "pagerduty": MINIMAL + "delivery: {pagerduty: [{routing_key: '${S}'}]}",
    "ping": MINIMAL + "monitoring: {ping_url: 'https://hc-ping.com/${S}'}",
    "object store": "source: {kind: files, usage: 's3://id:${S}@bucket/*.csv'}",
}


@pytest.mark.parametrize("place", SECRET_PLACES)
def test_the_secret_of_every_place_is_masked_from_then_on(write, place: str) -> None:
    """In messages of whatever library."""
    load(write(SECRET_PLACES[place] + "\n"), environment={"S": "canary-77"})
    assert without_secrets("a library says canary-77") == "a library says ***"


def test_the_configuration_shows_no_secret_of_its_own(write) -> None:
    """Where a library logs its arguments."""
    for text in SECRET_PLACES.values():
        if "s3://" not in text:
            assert "canary-77" not in repr(load(write(text + "\n"), environment={"S": "canary-77"}))


def test_an_error_never_repeats_a_value(write) -> None:
    """The wrong value may be a secret."""
    with pytest.raises(ConfigError) as caught:
        load(write(MINIMAL + "history: {first_pull_days: hunter2}\n"))
    assert "hunter2" not in str(caught.value)


def test_set_overrides_the_file(write) -> None:
    """Values are YAML; nested sections are made where they are missing."""
    config = load(
        write(MINIMAL), ["detection.minimum_requests=50", "timezone=Europe/Berlin", "report.formats=[json]"]
    )
    assert config.detection.minimum_requests == 50
    assert config.timezone == "Europe/Berlin"
    assert config.report.formats == ("json",)


@pytest.mark.parametrize("text", ["novalue", "=3", "timezone.deep=3"])
def test_a_malformed_override_is_refused(write, text: str) -> None:
    """The message repeats the option as it was given."""
    with pytest.raises(ConfigError, match="--set"):
        load(write("timezone: UTC\n" + MINIMAL), [text])


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "\x00"])
def test_a_broken_file_is_one_clear_error(write, text: str) -> None:
    """Empty, a list, broken YAML, binary."""
    with pytest.raises(ConfigError):
        load(write(text))


def test_a_key_that_stands_twice_is_an_error_with_file_line_and_path(write) -> None:
    """A second ``usage`` won without a word."""
    path = write("source:\n  kind: files\n  usage: a.csv\n  usage: b.csv\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} is not valid YAML: line 4, column 3: source.usage stands twice; it is in line 3 too"
    )


def test_an_override_is_read_within_the_same_bounds(write) -> None:
    """Its error names the key and does not repeat the value."""
    with pytest.raises(ConfigError) as caught:
        load(write(MINIMAL), [f"detection.minimum_requests={'9' * 6000}"])
    assert str(caught.value) == (
        "--set detection.minimum_requests: the value is not valid YAML: "
        "line 1, column 1: a number with more than 100 characters"
    )


def test_a_file_without_an_end_is_refused() -> None:
    """As /dev/zero; no more is read than a configuration may have."""
    with pytest.raises(ConfigError, match="more than 1,000,000 characters"):
        load(Path("/dev/zero"))


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The demo needs no configuration, so it is the way in."""
    with pytest.raises(ConfigError, match=r"--config.*demo"):
        load(tmp_path / "none.yaml")


def test_the_sample_at_the_root_is_valid() -> None:
    """config.yaml is the first thing people copy."""
    config = load(Path(__file__).parents[3] / "config.yaml")
    assert config.source.name == "main"


@pytest.mark.parametrize("former", FORMER_KEYS)
def test_a_key_of_an_earlier_version_is_an_error_that_names_the_new_one(tmp_path: Path, former: str) -> None:
    """Whoever upgrades learns what to write."""
    path = tmp_path / "config.yaml"
    path.write_text("source: {kind: files, usage: usage.csv}\n")
    with pytest.raises(ConfigError, match=rf"unknown key {former}: it is called {FORMER_KEYS[former]} now"):
        load(path, [f"{former}=30"])
    number = 30 if "settle" in former else 90
    load(path, [f"{FORMER_KEYS[former]}={number}"])


def test_a_report_address_of_an_earlier_version_is_an_error_that_names_the_new_one(tmp_path: Path) -> None:
    """A link that nobody can follow is noticed before it is sent."""
    path = tmp_path / "config.yaml"
    path.write_text("source: {kind: files, usage: usage.csv}\n")
    with pytest.raises(ConfigError, match=r"delivery\.report_url: \{night\} is called \{day\} now"):
        load(path, ["delivery.report_url=https://reports.internal/{night}/report.html"])


@pytest.mark.parametrize("key", ["nightly", "chargeback"])
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("half past two", "'half past two' does not have the five fields of a cron line"),
        ("0 30 2 * * *", "does not have the five fields"),
        ("@nightly", "does not have the five fields"),
        ("60 2 * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 2 32 * *", "bad day-of-month"),
        ("0 2 30 2 *", "bad day-of-month"),
        ("0 2 * 13 *", "bad month"),
        ("0 2 * * 8", "bad day-of-week"),
        ("0 2 * * fri-sun", "bad day-of-week"),
        ("0 2 * * mo", "bad day-of-week"),
        ("0/0 2 * * *", "bad minute"),
        ("0 2 */20 * 1L", "names a day that no year has"),
    ],
)
def test_a_wrong_cron_line_is_an_error_that_says_how_to_write_it(write, key: str, line: str, fault: str) -> None:
    """The error names the field of the configuration, the line and its fault."""
    with pytest.raises(ConfigError, match=rf"schedule\.{key}: .*minute hour day month weekday") as caught:
        load(write(MINIMAL + f"schedule: {{{key}: '{line}'}}\n"))
    assert fault in str(caught.value)
