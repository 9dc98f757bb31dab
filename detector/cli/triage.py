"""``triage``: the commands by which people say what findings are, and until when to be quiet about them."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import functools
import getpass
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from detector.boundary.suggestions import did_you_mean_or_all, nearest
from detector.boundary.words import counted
from detector.cli.options import DAY, Command, Group, configured, load_config, safe
from detector.model.errors import ConfigError
from detector.model.triage import Verdict

if TYPE_CHECKING:
    from detector.config.config import Config
    from detector.judging.triage import Named
    from detector.model.finding import Sighting
    from detector.model.triage import TriageEntry
    from detector.state.database import State

SHORTEST_ID = 6
NEAR = 3


class Target(NamedTuple):
    """What a command is about: one finding, or the findings of a key, a team or keys of a pattern."""

    kind: str
    value: str
    type: str | None = None


@click.group(
    cls=Group,
    epilog="""Examples:
      python -m detector triage ack --finding 3fa9c1d2 --reason "team search is on it"
      python -m detector triage mute --key key_7f3a --until 2026-11-30 --reason "load test"
      python -m detector triage unmute 4
      python -m detector triage verdict --finding 3fa9c1d2 true
      python -m detector triage list --all""",
)
def triage() -> None:
    """Say what findings are: acknowledge, mute, and tell real ones from false alarms.

    Reports show what was said from their next run or rendering on, for past days too.
    """


def _targeted(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name a target, gathered into ``target``; None where none was given."""

    @functools.wraps(command)
    def gathered(
        *,
        finding: str | None,
        key: str | None,
        team: str | None,
        pattern: str | None,
        kind: str | None,
        **rest: Any,
    ) -> Any:
        given = {"finding": finding, "key": key, "team": team, "pattern": pattern}
        return command(
            target=_target({name: text for name, text in given.items() if text is not None}, kind), **rest
        )

    for option, name, metavar, words in (
        ("--type", "kind", "TYPE", "Of a key, team or pattern, only findings of this type."),
        ("--pattern", "pattern", "GLOB", "All keys whose id or name matches, as in 'loadtest-*'."),
        ("--team", "team", "TEAM", "All keys of this team."),
        ("--key", "key", "KEY_ID", "This key."),
        ("--finding", "finding", "ID", f"This finding: its id, or the first {SHORTEST_ID} or more characters."),
    ):
        gathered = click.option(option, name, metavar=metavar, help=words)(gathered)
    return gathered


def _target(given: dict[str, str], kind: str | None) -> Target | None:
    if len(given) > 1:
        raise ConfigError(f"name one target, not {len(given)}: {', '.join(f'--{name}' for name in given)}")
    if not given:
        return None
    ((name, value),) = given.items()
    if not value.strip():
        raise ConfigError(f"--{name} is empty")
    if kind is not None and name == "finding":
        raise ConfigError("--type narrows --key, --team or --pattern; a finding has one type already")
    return Target(name, _storable(value), kind)


def _said_by(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--by", metavar="NAME", help="Who says so; your login name by default.")(command)


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage ack --finding 3fa9c1d2
      python -m detector triage ack --team search --reason "migration, see the wiki" --until 2026-11-30""",
)
@_targeted
@click.option("--reason", metavar="TEXT", help="Why, in a few words.")
@click.option("--from", "first", type=DAY, help="First day; the latest judged one by default.")
@click.option("--until", "last", type=DAY, help="Last day, included; a finding's episode, or no end, by default.")
@_said_by
@configured
def ack(
    path: Path,
    overrides: Sequence[str],
    target: Target | None,
    reason: str | None,
    first: date | None,
    last: date | None,
    by: str | None,
) -> None:
    """Acknowledge findings: they stay in the report and its counts, marked as known."""
    with _desk(path, overrides) as desk:
        target, episode = desk.checked(target), None
        if target.kind == "finding" and last is None:
            episode = desk.sightings[target.value].episode if target.value in desk.sightings else None
        entry = desk.entry("ack", target, reason, by, first or desk.day, last, episode=episode)
        _tell("Acknowledged", desk.add(entry))


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage mute --finding 3fa9c1d2 --until 2026-11-30 --reason "load test"
      python -m detector triage mute --pattern 'loadtest-*' --type usage_spike --reason test --until 2026-12-24""",
)
@_targeted
@click.option("--reason", metavar="TEXT", help="Why; required, as others will ask.")
@click.option("--from", "first", type=DAY, help="First day; the latest judged one by default.")
@click.option("--until", "last", type=DAY, help="Last day, included; required.")
@_said_by
@configured
def mute(
    path: Path,
    overrides: Sequence[str],
    target: Target | None,
    reason: str | None,
    first: date | None,
    last: date | None,
    by: str | None,
) -> None:
    """Be quiet about findings until a day: out of the verdict and the counts, listed with the reason.

    Findings on the whole fleet, as on incomplete data, are muted by --finding alone.
    """
    if reason is None or not reason.strip():
        raise ConfigError("a mute needs a --reason, so that others know why the report is quiet")
    if last is None:
        raise ConfigError("a mute needs an end: --until YYYY-MM-DD, its last day")
    with _desk(path, overrides) as desk:
        entry = desk.entry("mute", desk.checked(target), reason, by, first or desk.day, last)
        _tell("Muted", desk.add(entry))


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage unmute 4
      python -m detector triage unmute --key key_7f3a""",
)
@click.argument("number", metavar="[ID]", type=int, required=False)
@_targeted
@configured
def unmute(path: Path, overrides: Sequence[str], target: Target | None, number: int | None) -> None:
    """End a mute, by its number in the report and in `triage list`, or all mutes of a target.

    It stops applying to every day, past ones included, and stays in the log.
    """
    if (number is None) == (target is None):
        raise ConfigError("say which mute: its number, or one of --finding, --key, --team, --pattern")
    with _desk(path, overrides) as desk:
        ended = desk.mutes(number, target)
        desk.end(ended)
        for entry in ended:
            _tell("Ended", entry)


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage verdict --finding 3fa9c1d2 true
      python -m detector triage verdict --key key_7f3a --day 2026-11-22 --reason "load test" planned""",
)
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
@_targeted
@click.option("--day", type=DAY, help="The day whose findings are meant; their latest by default.")
@click.option("--reason", metavar="TEXT", help="Why, in a few words.")
@_said_by
@configured
def verdict(
    path: Path,
    overrides: Sequence[str],
    target: Target | None,
    verdict: str,
    day: date | None,
    reason: str | None,
    by: str | None,
) -> None:
    """Say whether findings were real: true, false, benign (real but harmless) or planned.

    A verdict is on one episode of a finding; a later one replaces it. Reports show how many findings of each
    type turned out real; planned ones are not counted.
    """
    with _desk(path, overrides) as desk:
        for sighting in desk.seen(desk.checked(target), day):
            about = Target("finding", sighting.finding_id, sighting.type)
            facts = {"verdict": verdict, "episode": sighting.episode}
            entry = desk.entry("verdict", about, reason, by, sighting.first_seen, None, **facts)
            _tell(f"Verdict {verdict}", desk.add(entry, desk.replaced(entry)))


@triage.command(
    "list",
    cls=Command,
    epilog="""Examples:
      python -m detector triage list
      python -m detector triage list --all --format json""",
)
@click.option("--all", "everything", is_flag=True, help="Also what ended, was taken back or replaced.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Shape of the answer."
)
@configured
def list_entries(path: Path, overrides: Sequence[str], everything: bool, form: str) -> None:
    """List what was said and still holds: acknowledgements, mutes and verdicts."""
    from detector.reports.terminal.triage import RENDERINGS

    with _desk(path, overrides) as desk:
        entries = [entry for entry in desk.entries() if everything or desk.holds(entry)]
        click.echo(RENDERINGS[form](entries, desk.day), nl=False)


@dataclass(frozen=True)
class _Desk:
    """What the commands work on. ``day`` is the one people look at: the latest judged, else last day."""

    config: Config
    state: State
    now: datetime
    day: date

    @functools.cached_property
    def sightings(self) -> dict[str, Sighting]:
        """The latest sighting of every finding there ever was, by id."""
        return self._sightings_before(date.max)

    def entries(self) -> list[TriageEntry]:
        """Everything that was said, ended entries included."""
        from detector.state.triage import triage_log

        return triage_log(self.state)

    def add(self, entry: TriageEntry, replaces: Sequence[int] = ()) -> TriageEntry:
        """Log an entry in place of those it replaces; returns it with its number."""
        from detector.state.triage import add_entry

        return add_entry(self.state, entry, replaces)

    def end(self, entries: Sequence[TriageEntry]) -> None:
        """Take entries back."""
        from detector.state.triage import end_entries

        end_entries(self.state, [entry.id for entry in entries], self.now)

    def checked(self, target: Target | None) -> Target:
        """The target with its whole finding id; ConfigError for one that cannot be meant."""
        if target is None:
            raise ConfigError("name a target: --finding, --key, --team or --pattern")
        if target.kind == "finding":
            return target._replace(value=self._whole_id(target.value))
        if target.type is not None:
            self._require_type(target.type)
        return target

    def entry(
        self,
        action: str,
        target: Target,
        reason: str | None,
        by: str | None,
        first: date,
        last: date | None,
        **facts: Any,
    ) -> TriageEntry:
        """A new entry of the log, said now."""
        from detector.model.triage import TriageEntry

        if last is not None and last < first:
            raise ConfigError(f"--until {last} lies before the first day, {first}; --from sets another first day")
        why, who = _one_line(reason or "") or None, _one_line(by or _login())
        return TriageEntry(
            action, target.kind, target.value, target.type, why, who, first, last, created_at=self.now, **facts
        )

    def holds(self, entry: TriageEntry) -> bool:
        """Whether an entry applies to the day of the desk or to a later one."""
        return entry.ended_at is None and (entry.until_day is None or entry.until_day >= self.day)

    def mutes(self, number: int | None, target: Target | None) -> list[TriageEntry]:
        """The mutes to end; by its number also one whose last day has passed, as it still tells old days."""
        mutes = [entry for entry in self.entries() if entry.action == "mute" and entry.ended_at is None]
        if number is not None:
            found = [entry for entry in mutes if entry.id == number]
            meant = f"with the number {number}"
        else:
            target = self.checked(target)
            aims = [entry for entry in mutes if self.holds(entry)]
            found = [entry for entry in aims if (entry.target_kind, entry.target) == target[:2]]
            found = [entry for entry in found if target.type in (None, entry.type)]
            meant = f"on {target.kind} {safe(target.value)!r}"
        if not found:
            raise ConfigError(f"there is no mute in force {meant}; `triage list` shows what there is")
        return found

    def replaced(self, verdict: TriageEntry) -> list[int]:
        """The earlier verdicts on the same episode."""
        about = ("verdict", verdict.target, verdict.episode)
        return [entry.id for entry in self.entries() if (entry.action, entry.target, entry.episode) == about]

    def seen(self, target: Target, day: date | None) -> list[Sighting]:
        """The sightings a verdict is on: of a day, or of one finding its latest."""
        if day is not None and day > self.day:
            raise ConfigError(f"the day {day} has not been judged yet; the latest is {self.day}")
        if target.kind == "finding" and day is None and target.value in self.sightings:
            return [self.sightings[target.value]]
        day = day or self.day
        found = self._seen_on(target, day)
        if not found:
            raise ConfigError(
                f"no finding of {target.kind} {safe(target.value)!r} was seen on {day}{self._last(target)}"
            )
        return found

    def _sightings_before(self, day: date) -> dict[str, Sighting]:
        from detector.state.sightings import earlier_sightings

        return earlier_sightings(self.state, day)

    def _seen_on(self, target: Target, day: date) -> list[Sighting]:
        from detector.judging.triage import covers

        seen = self._sightings_before(day + timedelta(days=1)) if day < date.max else self.sightings
        template = self.entry("verdict", target, None, "", day, None)
        current = [sighting for sighting in seen.values() if sighting.day == day]
        return [
            one for one, named in zip(current, self._named(current, day), strict=True) if covers(template, named)
        ]

    def _named(self, sightings: Sequence[Sighting], day: date) -> Iterator[Named]:
        """The sightings with the names and teams that the day's register gave their keys."""
        from detector.judging.triage import Named
        from detector.usage.history import History

        history = History(Path(self.config.history.path), self.config.zone)
        stored = day in history.days()
        register = history.read(day)[["key_id", "name", "team"]].to_numpy(dtype=object) if stored else ()
        known = {key: tuple(text if isinstance(text, str) else None for text in rest) for key, *rest in register}
        for sighting in sightings:
            name, team = known.get(sighting.key_id, (None, None))
            yield Named(sighting.finding_id, sighting.type, sighting.key_id, name, team)

    def _last(self, target: Target) -> str:
        last = self.sightings.get(target.value) if target.kind == "finding" else None
        return f"; it was last seen on {last.day}" if last else "; --day names another"

    def _whole_id(self, start: str) -> str:
        ids = {*self.sightings, *(entry.target for entry in self.entries() if entry.target_kind == "finding")}
        if start in ids:
            return start
        found = sorted(name for name in ids if name.startswith(start))
        if len(start) < SHORTEST_ID:
            raise ConfigError(
                f"the finding id {safe(start)!r} is too short; give at least {SHORTEST_ID} characters"
            )
        if not found:
            raise ConfigError(f"no finding has an id that begins with {safe(start)!r}{self._near(start, ids)}")
        if len(found) > 1:
            begin = counted(len(found), "finding begins", "findings begin")
            raise ConfigError(f"{begin} with {safe(start)!r}: {self._listed(found[:NEAR])}")
        return found[0]

    def _near(self, start: str, ids: set[str]) -> str:
        """The ids that begin most like what was typed; the latest findings where none does."""
        whole = {name[: len(start)]: name for name in sorted(ids)}
        near = [whole[text] for text in nearest(start, whole, most=NEAR)]
        latest = sorted(self.sightings, key=lambda name: (self.sightings[name].day, name), reverse=True)
        if near:
            return f", did you mean {self._listed(near)}?"
        return f"; the latest are {self._listed(latest[:NEAR])}" if latest else "; none has been found yet"

    def _listed(self, ids: Sequence[str]) -> str:
        from detector.judging.triage import SHOWN_ID
        from detector.model.finding import FLEET

        seen = {name: self.sightings.get(name) for name in ids}
        words = {name: f" ({one.type} on {one.key_id or FLEET})" if one else "" for name, one in seen.items()}
        return ", ".join(f"{name[:SHOWN_ID]}{safe(words[name])}" for name in ids)

    def _require_type(self, kind: str) -> None:
        from detector.judging.finding_types import finding_types

        kinds = {*finding_types(), *(sighting.type for sighting in self.sightings.values())}
        if kind not in kinds:
            raise ConfigError(f"there is no type of finding {safe(kind)!r}{did_you_mean_or_all(kind, kinds)}")


@contextmanager
def _desk(path: Path, overrides: Sequence[str]) -> Iterator[_Desk]:
    """Open the state alone: what people say does not need the source."""
    from detector.model.day import Day
    from detector.state.database import State
    from detector.state.sightings import days_judged

    config, now = load_config(path, overrides), datetime.now(UTC)
    with closing(State(config.state.url)) as state:
        day = max(days_judged(state), default=None)
        yield _Desk(config, state, now, day or Day.last_complete(now, config.zone).date)


def _tell(done: str, entry: TriageEntry) -> None:
    """One line on what was logged, with the number that names it from now on."""
    from detector.judging.triage import target_words

    until = f" until {entry.until_day}" if entry.until_day else ""
    days = f" from {entry.from_day}{until}" if entry.action != "verdict" else f", episode {entry.episode}"
    click.echo(_one_line(safe(f"{done} ({entry.id}): {target_words(entry)}{days}, by {entry.by}")))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigError("your login name is not known here; say who with --by NAME") from error


def _one_line(text: str) -> str:
    return " ".join(_storable(text).split())


def _storable(text: str) -> str:
    """Text as every database can hold it: without halves of surrogate pairs and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
