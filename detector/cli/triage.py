"""``triage``: the commands by which people acknowledge, mute and assess findings."""

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
from detector.boundary.text import LONGEST_TEXT, one_line, storable, visible
from detector.boundary.words import counted
from detector.cli.options import DAY, Command, Group, configured, day_option, load_config
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
    """The target of a command: one finding, or the findings of a key, of a team or of all keys of a pattern."""

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
    """Acknowledge findings, mute them, and say whether they are real.

    A report shows the entries from its next run or rendering on, for past days too.
    """


def _targeted(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a target, and pass them on as one ``target``; None if no option is given."""

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
        ("--type", "kind", "TYPE", "Only the findings of this type, of a key, team or pattern."),
        ("--pattern", "pattern", "GLOB", "The findings of all keys whose id or name matches, as in 'loadtest-*'."),
        ("--team", "team", "TEAM", "The findings of all keys of this team."),
        ("--key", "key", "KEY_ID", "The findings of this key."),
        ("--finding", "finding", "ID", f"This finding: its id, or at least its first {SHORTEST_ID} characters."),
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
    return Target(name, storable(value), kind)


def _author(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--by", metavar="NAME", help="Your name for the entry; the login name by default.")(
        command
    )


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage ack --finding 3fa9c1d2
      python -m detector triage ack --team search --reason "migration, see the wiki" --until 2026-11-30""",
)
@_targeted
@click.option("--reason", metavar="TEXT", help="Why, in a few words.")
@click.option("--from", "first", type=DAY, help="First day; the latest evaluated day by default.")
@click.option(
    "--until", "last", type=DAY, help="Last day, included; by default the end of a finding's episode, else none."
)
@_author
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
    """Acknowledge findings. The report still shows and counts them, marked as known."""
    with _desk(path, overrides) as desk:
        target = desk.checked(target)
        episode = None
        # Without a last day, an acknowledged finding needs attention again when its next episode begins.
        if target.kind == "finding" and last is None and target.value in desk.sightings:
            episode = desk.sightings[target.value].episode
        entry = desk.entry("ack", target, reason, by, first or desk.day, last, episode=episode)
        _confirm("Acknowledged", desk.add(entry))


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage mute --finding 3fa9c1d2 --until 2026-11-30 --reason "load test"
      python -m detector triage mute --pattern 'loadtest-*' --type usage_spike --reason test --until 2026-12-24""",
)
@_targeted
@click.option("--reason", metavar="TEXT", help="Why; required, so that others understand the mute.")
@click.option("--from", "first", type=DAY, help="First day; the latest evaluated day by default.")
@click.option("--until", "last", type=DAY, help="Last day, included; required.")
@_author
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
    """Mute findings until a day. The verdict and the counts leave them out, and the report lists them apart.

    Only --finding mutes a finding on the whole fleet, such as one about incomplete data.
    """
    if reason is None or not reason.strip():
        raise ConfigError("a mute needs a --reason, so that others know why the report is quiet")
    if last is None:
        raise ConfigError("a mute needs an end: --until YYYY-MM-DD, its last day")
    with _desk(path, overrides) as desk:
        entry = desk.entry("mute", desk.checked(target), reason, by, first or desk.day, last)
        _confirm("Muted", desk.add(entry))


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
    """End one mute by its number in the report or in `triage list`, or all mutes of a target.

    An ended mute no longer applies to any day, not even to a past one. It stays in the log.
    """
    if (number is None) == (target is None):
        raise ConfigError("say which mute: its number, or one of --finding, --key, --team, --pattern")
    with _desk(path, overrides) as desk:
        ended = desk.mutes(number, target)
        desk.end(ended)
        for entry in ended:
            _confirm("Ended", entry)


@triage.command(
    cls=Command,
    epilog="""Examples:
      python -m detector triage verdict --finding 3fa9c1d2 true
      python -m detector triage verdict --key key_7f3a --day 2026-11-22 --reason "load test" planned""",
)
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
@_targeted
@day_option("The day of the findings; their latest day by default.")
@click.option("--reason", metavar="TEXT", help="Why, in a few words.")
@_author
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

    A verdict applies to one episode of a finding, and a later verdict replaces it. Reports show how many findings
    of each type were real; they do not count planned ones.
    """
    with _desk(path, overrides) as desk:
        for sighting in desk.sightings_of(desk.checked(target), day):
            finding = Target("finding", sighting.finding_id, sighting.type)
            facts = {"verdict": verdict, "episode": sighting.episode}
            entry = desk.entry("verdict", finding, reason, by, sighting.first_seen, None, **facts)
            _confirm(f"Verdict {verdict}", desk.add(entry, desk.replaced(entry)))


@triage.command(
    "list",
    cls=Command,
    epilog="""Examples:
      python -m detector triage list
      python -m detector triage list --all --format json""",
)
@click.option("--all", "everything", is_flag=True, help="Also list entries that are over, ended or replaced.")
@click.option(
    "--format", "format_name", type=click.Choice(["table", "json"]), default="table", help="Format of the list."
)
@configured
def list_entries(path: Path, overrides: Sequence[str], everything: bool, format_name: str) -> None:
    """List the acknowledgements, mutes and verdicts that still apply."""
    from detector.reports.terminal.triage import RENDERINGS

    with _desk(path, overrides) as desk:
        entries = [entry for entry in desk.entries() if everything or desk.holds(entry)]
        click.echo(RENDERINGS[format_name](entries, desk.day), nl=False)


@dataclass(frozen=True)
class _Desk:
    """The state that the commands work on. ``day`` is the latest evaluated day; without one, yesterday."""

    config: Config
    state: State
    now: datetime
    day: date

    @functools.cached_property
    def sightings(self) -> dict[str, Sighting]:
        """The latest sighting of every finding, by finding id."""
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
        """The target with its whole finding id; ConfigError for a missing target or one that does not exist."""
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
        """A new triage entry with the current time."""
        from detector.model.triage import TriageEntry

        if last is not None and last < first:
            raise ConfigError(f"--until {last} lies before the first day, {first}; --from sets another first day")
        return TriageEntry(
            action,
            target.kind,
            target.value,
            target.type,
            _note(reason or "") or None,
            _note(by or _login()),
            first,
            last,
            created_at=self.now,
            **facts,
        )

    def holds(self, entry: TriageEntry) -> bool:
        """Whether an entry applies to the day of the desk or to a later one."""
        return entry.ended_at is None and (entry.until_day is None or entry.until_day >= self.day)

    def mutes(self, number: int | None, target: Target | None) -> list[TriageEntry]:
        """The mutes to end. A number may also name a mute that is over, because it still applies to old days."""
        mutes = [entry for entry in self.entries() if entry.action == "mute" and entry.ended_at is None]
        if number is not None:
            found = [entry for entry in mutes if entry.id == number]
            meant = f"with the number {number}"
        else:
            target = self.checked(target)
            holding = [entry for entry in mutes if self.holds(entry)]
            found = [entry for entry in holding if (entry.target_kind, entry.target) == target[:2]]
            found = [entry for entry in found if target.type in (None, entry.type)]
            meant = f"on {target.kind} {visible(target.value)!r}"
        if not found:
            raise ConfigError(f"there is no mute in force {meant}; `triage list` shows what there is")
        return found

    def replaced(self, verdict: TriageEntry) -> list[int]:
        """The earlier verdicts on the same episode."""
        about = ("verdict", verdict.target, verdict.episode)
        return [entry.id for entry in self.entries() if (entry.action, entry.target, entry.episode) == about]

    def sightings_of(self, target: Target, day: date | None) -> list[Sighting]:
        """The sightings of a target on a day; without a day, the latest sighting of a finding."""
        if day is not None and day > self.day:
            raise ConfigError(f"the day {day} has not been evaluated yet; the latest is {self.day}")
        if target.kind == "finding" and day is None and target.value in self.sightings:
            return [self.sightings[target.value]]
        day = day or self.day
        found = self._sightings_on(target, day)
        if not found:
            raise ConfigError(
                f"no finding of {target.kind} {visible(target.value)!r} was seen on {day}{self._last(target)}"
            )
        return found

    def _sightings_before(self, day: date) -> dict[str, Sighting]:
        from detector.state.sightings import earlier_sightings

        return earlier_sightings(self.state, day)

    def _sightings_on(self, target: Target, day: date) -> list[Sighting]:
        from detector.judging.triage import covers

        latest = self._sightings_before(day + timedelta(days=1)) if day < date.max else self.sightings
        template = self.entry("verdict", target, None, "", day, None)
        on_day = [sighting for sighting in latest.values() if sighting.day == day]
        covered = []
        for sighting, named in zip(on_day, self._named(on_day, day), strict=True):
            if covers(template, named):
                covered.append(sighting)
        return covered

    def _named(self, sightings: Sequence[Sighting], day: date) -> Iterator[Named]:
        """The sightings with the names and teams that the day's register gave their keys."""
        from detector.judging.triage import Named
        from detector.usage.history import History

        history = History(Path(self.config.history.path), self.config.zone)
        known: dict[str | None, list[str | None]] = {}
        if day in history.days():
            for key, *texts in history.read(day)[["key_id", "name", "team"]].to_numpy(dtype=object):
                known[key] = [text if isinstance(text, str) else None for text in texts]
        for sighting in sightings:
            name, team = known.get(sighting.key_id, [None, None])
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
                f"the finding id {visible(start)!r} is too short; give at least {SHORTEST_ID} characters"
            )
        if not found:
            raise ConfigError(f"no finding has an id that begins with {visible(start)!r}{self._near(start, ids)}")
        if len(found) > 1:
            begin = counted(len(found), "finding begins", "findings begin")
            raise ConfigError(f"{begin} with {visible(start)!r}: {self._listed(found[:NEAR])}")
        return found[0]

    def _near(self, start: str, ids: set[str]) -> str:
        """A hint with the ids that begin most like ``start``, or with the latest findings if no id does."""
        whole = {name[: len(start)]: name for name in sorted(ids)}
        near = [whole[text] for text in nearest(start, whole, most=NEAR)]
        latest = sorted(self.sightings, key=lambda name: (self.sightings[name].day, name), reverse=True)
        if near:
            return f", did you mean {self._listed(near)}?"
        return f"; the latest are {self._listed(latest[:NEAR])}" if latest else "; none has been found yet"

    def _listed(self, ids: Sequence[str]) -> str:
        from detector.judging.triage import SHOWN_ID
        from detector.model.finding import FLEET

        listed = []
        for name in ids:
            sighting = self.sightings.get(name)
            words = f" ({sighting.type} on {sighting.key_id or FLEET})" if sighting else ""
            listed.append(f"{name[:SHOWN_ID]}{visible(words)}")
        return ", ".join(listed)

    def _require_type(self, kind: str) -> None:
        from detector.judging.finding_types import finding_types

        kinds = {*finding_types(), *(sighting.type for sighting in self.sightings.values())}
        if kind not in kinds:
            raise ConfigError(f"there is no type of finding {visible(kind)!r}{did_you_mean_or_all(kind, kinds)}")


@contextmanager
def _desk(path: Path, overrides: Sequence[str]) -> Iterator[_Desk]:
    """Open the state for a command. Triage does not need the source."""
    from detector.model.day import Day
    from detector.state.database import State
    from detector.state.sightings import days_judged

    config = load_config(path, overrides)
    now = datetime.now(UTC)
    with closing(State.of(config)) as state:
        day = max(days_judged(state), default=None)
        yield _Desk(config, state, now, day or Day.last_complete(now, config.zone).date)


def _confirm(done: str, entry: TriageEntry) -> None:
    """Print one line about an entry, with the number by which it can be ended."""
    from detector.judging.triage import target_words

    until = f" until {entry.until_day}" if entry.until_day else ""
    days = f" from {entry.from_day}{until}" if entry.action != "verdict" else f", episode {entry.episode}"
    click.echo(one_line(f"{done} ({entry.id}): {target_words(entry)}{days}, by {entry.by}", LONGEST_TEXT))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigError("your login name is not known here; say who with --by NAME") from error


def _note(text: str) -> str:
    """What somebody wrote, in one line that every database can hold."""
    return " ".join(storable(text).split())
