"""`sre-agent noise`: what paged people, how much of it was noise, and what would have spared them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import past_settings_of

if TYPE_CHECKING:
    from sre_agent.noise.review import Review
    from sre_agent.noise.suggestion import Suggestion

MOST_ROWS = 20
_COUNTS = ("flaps", "doubles", "storm", "night", "wake-ups", "wrong team", "cost")
HEADS = ("rule", "service", "pages", "noise", "self-resolved", "acted upon", "to resolve", *_COUNTS)


def noise(
    context: typer.Context,
    since: Annotated[str, typer.Option(metavar="TIME", help="2026-03-04, 2026-03-04T03:11:09Z, 7d.")] = "7d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="As --since; now when left out.")] = None,
    service: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this service; may be repeated.")] = None,
    team: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this team; may be repeated.")] = None,
    folder: Annotated[Path | None, typer.Option("--from", metavar="DIR", help="Cases that replay --save kept.")] = None,
    time_zone: Annotated[str, typer.Option(metavar="NAME", help="Where the people on call sleep.")] = "UTC",
    to_json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="The whole review as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="A page of it.")] = None,
) -> None:
    """Review what paged people: self-resolved, acted upon, flapping, at night, to the wrong team; and what to change, with the
    reduction that this would have brought. It changes nothing."""
    from sre_agent.incident.errors import Permanent
    from sre_agent.replay.history.span import BadSpan, span_of
    from sre_agent.wiring.clock import SystemClock
    from sre_agent.wiring.noise import Past, zone_of

    try:
        span = span_of(since, until, SystemClock().now(), tuple(service or ()), tuple(team or ()))
    except BadSpan as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if folder is not None and team:
        typer.echo("--team asks PagerDuty and cannot go with --from; filter with --service", err=True)
        raise typer.Exit(2)
    from sre_agent.cli.render import progress

    try:
        zone = zone_of(time_zone)
    except Permanent as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    with progress("reading pages", None) as tick:
        told = Past(past_settings_of(context), span, zone, folder, tick).reviewed()
    lost = _written(to_json, told.model_dump_json(indent=2) + "\n") if to_json else ""
    if html is not None:
        lost += _written(str(html), _page(told))
    if to_json != "-":
        _show(told)
    if lost:
        raise typer.Exit(1)


def _written(to: str, text: str) -> str:
    """Write a report; where that cannot be, it is kept elsewhere and said. The complaint, "" for none."""
    import tempfile

    if to == "-":
        sys.stdout.write(text)
        return ""
    try:
        Path(to).write_text(text, encoding="utf-8")
    except OSError as error:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=Path(to).suffix, prefix="noise-", delete=False) as kept:
            kept.write(text)
        complaint = f"cannot write to {to}: {error.strerror}; it is in {kept.name}"
        typer.echo(complaint, err=True)
        return complaint
    return ""


def _page(told: "Review") -> str:
    from sre_agent.replay.html import render_page

    most = max((day.pages for day in told.days), default=1)
    return render_page("noise.html.j2", {"review": told, "most": most, "minutes": _minutes, "share": _share, "spread": _spread})


def _show(told: "Review") -> None:
    from sre_agent.cli.render import printable, table

    typer.echo(
        f"{told.since:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC: {told.pages} pages, {told.night} at night ({told.zone})"
    )
    for problem, count in told.problems.items():
        typer.echo(f"not known: {printable(problem)} ({count})")
    if not told.pages:
        return
    rows = [
        (
            n.rule,
            n.service,
            str(n.pages),
            str(n.noise),
            _share(n.self_resolved),
            _share(n.acted_upon),
            _minutes(n.resolve_s_median),
            *(str(count) for count in (n.flaps, n.duplicates, n.storm, n.night, n.wake_ups, n.wrong_team, n.cost)),
        )
        for n in told.rules[:MOST_ROWS]
    ]
    typer.echo("")
    table(HEADS, rows)
    if len(told.rules) > MOST_ROWS:
        typer.echo(f"... and {len(told.rules) - MOST_ROWS} more rules: --json or --html tells all")
    typer.echo("")
    for one in told.suggestions[:MOST_ROWS]:
        _suggest(one)
    both = told.together
    later = f"{both.acted_later} acted-upon ones later (by {_minutes(both.latest_s)} at most), {both.acted_lost} not on their own"
    nights = f"{both.night_before} at night {both.night_after}"
    typer.echo(f"\nAll of it together: {both.before} pages would have been {both.after}, {nights}; {later}.")


def _suggest(one: "Suggestion") -> None:
    from sre_agent.cli.render import printable

    span = f" {one.span_s / 60:.0f} min" if one.span_s else ""
    told = one.effect
    typer.echo(f"{one.kind.value}{span}: {printable(one.rule)} on {printable(one.service)}: {told.before} -> {told.after} pages")
    typer.echo(f"  because {printable(one.why)} (e.g. {', '.join(map(printable, one.examples))})")
    typer.echo("\n".join(f"    {printable(line)}" for line in one.change.splitlines()))


def _spread(median: float | None, most: float | None) -> str:
    return "?" if median is None or most is None else f"{median / 60:.0f} ({most / 60:.0f}) min"


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"


def _minutes(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds / 60:.0f} min"
