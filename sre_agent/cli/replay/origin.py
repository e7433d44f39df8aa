"""Where the cases of a replay come from, as asked for on the command line."""

from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from sre_agent.settings import Settings
    from sre_agent.wiring.origins import Cases

_FEW = 8


@dataclass(frozen=True)
class Origin:
    """Where the cases come from. `named`: the words that named them; `few`: so few that starting workers would cost more
    than it saves."""

    named: tuple[str, ...]
    cases: "AbstractContextManager[Cases]"
    few: bool


@dataclass(frozen=True)
class History:
    """What of PagerDuty's history was asked for, as written."""

    wanted: bool
    since: str | None
    until: str | None
    services: tuple[str, ...]
    teams: tuple[str, ...]
    save: Path | None
    look_after_s: float


@dataclass(frozen=True)
class Live:
    """Which recorded incidents were asked for, and which round of each; None for all."""

    incidents: tuple[str, ...]
    only: int | None


def origin_of(settings: "Settings", paths: tuple[str, ...], asked: tuple[History, Live], *, as_recorded: bool) -> Origin:
    """The one origin that was named. Exit status 2 for none, for several, and for what makes no sense."""
    history, live = asked
    if live.incidents:
        if paths or history.wanted:
            wrong("--incident takes its cases from the agent's own store: name either that, a path or --pagerduty, not both")
        return _from_store(settings, live)
    if live.only is not None:
        wrong("--round goes with --incident")
    if history.wanted:
        if paths:
            wrong("--pagerduty takes no path: its cases come from PagerDuty; --save DIR keeps them")
        return _from_pagerduty(settings, history)
    if any((history.since, history.until, history.services, history.teams, history.save)):
        wrong("--since, --until, --service, --team and --save go with --pagerduty")
    return _from_paths(paths, as_recorded=as_recorded)


def _from_paths(paths: tuple[str, ...], *, as_recorded: bool) -> Origin:
    from sre_agent.wiring.origins import from_paths, missing

    absent = missing(paths)
    if absent or not paths:
        wrong(f"no such case: {', '.join(absent)}" if absent else "name at least one case, folder or archive of cases")
    few = all((Path(p) / "case.json").exists() for p in paths) and len(paths) < _FEW
    return Origin(tuple(str(Path(p).absolute()) for p in paths), from_paths(paths, as_recorded=as_recorded), few)


def _from_store(settings: "Settings", asked: Live) -> Origin:
    from sre_agent.wiring.origins import from_store

    named = ("incident", *asked.incidents, str(asked.only))
    return Origin(named, from_store(settings, asked.incidents, asked.only), len(asked.incidents) < _FEW)


def _from_pagerduty(settings: "Settings", asked: History) -> Origin:
    from sre_agent.replay.history.span import BadSpan, span_of
    from sre_agent.wiring.clock import SystemClock
    from sre_agent.wiring.history import Wanted
    from sre_agent.wiring.origins import from_pagerduty

    now = SystemClock().now()
    if asked.since is None:
        wrong("--pagerduty needs --since: a date, a time with its offset, or a time ago such as 7d")
    try:
        span = span_of(asked.since, asked.until, now, asked.services, asked.teams)
    except BadSpan as error:
        wrong(str(error))
    wanted = Wanted(span, asked.look_after_s, now)
    return Origin(("pagerduty", *map(str, astuple(asked))), from_pagerduty(settings, wanted, asked.save), few=False)


def wrong(message: str) -> NoReturn:
    """Wrong usage: one line, and exit status 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)
