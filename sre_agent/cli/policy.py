"""`sre-agent policy`: read the rules, change them with tests, and see what a change means before it decides anything."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import MORE_PERMISSIVE, settings_of

if TYPE_CHECKING:
    from sre_agent.policy.bundle import Bundle
    from sre_agent.policy.difference import VerdictChange
    from sre_agent.policy.facts import Situation

NOT_PROVED = 4

app = typer.Typer(help="The guard's rules: check, test, explain, compare, lock.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="A policies folder; the configured one if left out.")]


@app.command()
def check(context: typer.Context, folder: Folder = None) -> None:
    """Load, lint, compare with the lock and self-test. Prints everything that is wrong; exit status 1 if anything is."""
    from sre_agent.policy.load import examine

    settings = settings_of(context)
    place = folder or settings.policies_dir
    bundle, wrong = examine(place, settings.policy_data)
    _say(wrong)
    if bundle is None or wrong:
        typer.echo(f"{place}: {len(wrong)} problem{'s' if len(wrong) != 1 else ''}", err=True)
        raise typer.Exit(1)
    shadow = sum(r.shadow for r in bundle.rules.values())
    typer.echo(f"{place}: {len(bundle.rules) - shadow} policies and {shadow} on trial, bundle {bundle.hash[:12]}: nothing is wrong")


@app.command("test")
def run_tests(context: typer.Context, folder: Folder = None) -> None:
    """Run the cases of DIR/tests. Exit status 1 when one fails. The lock is not looked at: test first, then lock."""
    from sre_agent.policy.suite import run_suite

    settings = settings_of(context)
    place = folder or settings.policies_dir
    result = run_suite(place, _edited(place, settings.policy_data))
    _say(result.failures)
    if result.untested:
        typer.echo(f"no case names: {', '.join(result.untested)}")
    typer.echo(f"{result.held} of {result.cases} cases hold")
    if result.failures:
        raise typer.Exit(1)


@app.command()
def copy(
    context: typer.Context, to: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet.")]
) -> None:
    """Copy the policies in force to a folder of your own, to change them there."""
    import shutil

    from sre_agent.incident.errors import ConfigurationError

    source = settings_of(context).policies_dir
    try:
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        raise ConfigurationError(f"{to}: cannot be copied to: {error.strerror}; name a folder that does not exist") from error
    typer.echo(f"{to}: a copy of {source}; set SRE_AGENT_POLICIES={to.resolve()} to put it in force")


@app.command()
def explain(
    context: typer.Context,
    request: Annotated[
        str, typer.Option(metavar="FILE|-", help="JSON with a guard request: a decision, an incident, an audit line.")
    ] = "",
    case: Annotated[str, typer.Option(metavar="ID", help="Instead of a file: the situation of one policy test.")] = "",
    folder: Annotated[Path | None, typer.Option("--policies", help="A policies folder; the configured one if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say why a request is judged as it is, and what would have to be different."""
    from sre_agent.cli.render import printable
    from sre_agent.policy.explain import explain as explained
    from sre_agent.policy.telling import explanation_lines

    settings = settings_of(context)
    place = folder or settings.policies_dir
    if bool(request) == bool(case):
        typer.echo("give either --request FILE (or -) or --case ID", err=True)
        raise typer.Exit(2)
    asked = _situation(request) if request else _case(place, case)
    found = explained(_edited(place, settings.policy_data), asked)
    _say([found.model_dump_json(indent=2)] if as_json else map(printable, explanation_lines(found)))


@app.command()
def diff(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The policies folder in force.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The policies folder with the change.")],
    cases: Annotated[Path | None, typer.Option(help="Recorded incidents to replay through both.")] = None,
    decisions: Annotated[Path | None, typer.Option(help="JSON lines with recorded requests to judge by both.")] = None,
) -> None:
    """Show what a change means. Exit status 3 when anything gets more room, 4 when only z3 could tell and it is missing."""
    from sre_agent.policy.difference import edits
    from sre_agent.policy.telling import edit_lines, verdict_lines

    before, after = _edited(old, None), _edited(new, None)
    edited = edits(before, after)
    _say(edit_lines(edited) if edited else ["no rule and no declaration differs"])
    replayed, wider = _replayed(context, (old, new), cases)
    changed = _rejudged((before, after), decisions)
    same = "every recorded request is judged as before"
    _say(verdict_lines(changed) if changed else [same] if (cases or decisions) and not replayed else [])
    more = any(e.room == "more" for e in edited) or any(c.wider for c in changed) or wider
    proved = _proved_wider(old, new, (before, after)) if any(e.room == "maybe" for e in edited) else False
    if edited or changed or replayed:
        room = "something gets more room" if more or proved else "not known" if proved is None else "nothing gets more room"
        _say(["", f"in sum: {room}"])
    raise typer.Exit(MORE_PERMISSIVE if more or proved else NOT_PROVED if proved is None else 0)


@app.command()
def lock(
    context: typer.Context,
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="NAME", help="Who reviewed the change.")],
    folder: Folder = None,
) -> None:
    """Write BUNDLE.lock again, if the folder is sound and its tests hold."""
    from sre_agent.policy.load import examine, write_lock
    from sre_agent.policy.suite import run_suite

    place = folder or settings_of(context).policies_dir
    bundle, wrong = examine(place, locked=False)
    failures = run_suite(place, bundle).failures if bundle is not None and not wrong else ()
    _say((*wrong, *failures))
    if bundle is None or wrong or failures:
        typer.echo(f"{place}: not locked", err=True)
        raise typer.Exit(1)
    typer.echo(f"{write_lock(place, approved_by)}: bundle {bundle.hash[:12]}, approved by {approved_by}")


def _replayed(context: typer.Context, folders: tuple[Path, Path], cases: Path | None) -> tuple[int, bool]:
    """Print the past incidents that the two folders judge differently; how many, and whether one gets more room."""
    from contextlib import ExitStack

    from sre_agent.cli.render import differing
    from sre_agent.replay.compare_telling import blocks
    from sre_agent.wiring.compared import Spool, between

    if cases is None:
        return 0, False
    with ExitStack() as held:
        spool = Spool(held)
        for found in between(settings_of(context), *folders, cases):
            spool.add(found)
        differing(blocks(spool.each()))
        return spool.kinds.total(), bool(spool.wider)


def _rejudged(bundles: "tuple[Bundle, Bundle]", decisions: Path | None) -> "list[VerdictChange]":
    """Recorded requests that the two bundles judge differently."""
    from sre_agent.policy.difference import rejudged
    from sre_agent.policy.lock import read_text
    from sre_agent.policy.recorded import situations

    return [] if decisions is None else [*rejudged(*bundles, situations(read_text(decisions), str(decisions)))]


def _proved_wider(old: Path, new: Path, bundles: "tuple[Bundle, Bundle]") -> bool | None:
    """Whether any request at all gets more room, with one that does; None when nobody can tell."""
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.policy.difference import rejudged
    from sre_agent.policy.lock import policy_texts
    from sre_agent.policy.prove.reading import read_rules
    from sre_agent.policy.prove.solver import Undecided, z3
    from sre_agent.policy.prove.wider import wider, wider_approvers
    from sre_agent.policy.recorded import situations
    from sre_agent.policy.syntax import Unsupported
    from sre_agent.policy.telling import verdict_lines

    try:
        z3()
        before, after = (read_rules(policy_texts(folder)) for folder in (old, new))
        found, approver = wider(before, after), wider_approvers(before, after)
    except (ConfigurationError, Unsupported, Undecided) as unknown:
        typer.echo(f"whether any request gets more room is not known: {unknown}", err=True)
        return None
    if found is not None:
        text = found.model_dump_json(indent=2)
        judged = rejudged(*bundles, (("this request", asked) for _, asked in situations(text, "z3")))
        _say(["", "a request that the new rules allow and the old ones do not:", text, *verdict_lines([*judged])])
    if approver is not None:
        _say(["", "a yes that counts under the new rules and not under the old:", *(f"    {k} = {v}" for k, v in approver.items())])
    if found is None and approver is None:
        _say(["", "no request at all gets more room from the rules (proved)"])
    return found is not None or approver is not None


def _edited(folder: Path, overlay: Path | None) -> "Bundle":
    """The bundle as it is written, even if it is not locked or fails its self-test: what is asked here decides nothing."""
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.policy.load import examine

    bundle, wrong = examine(folder, overlay, locked=False)
    if bundle is None:
        raise ConfigurationError(wrong[0])
    return bundle


def _situation(request: str) -> "Situation":
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.policy.lock import read_text
    from sre_agent.policy.recorded import situations

    name = "standard input" if request == "-" else request
    found = situations(sys.stdin.read() if request == "-" else read_text(Path(request)), name)
    if not found:
        raise ConfigurationError(f"{name}:1: holds no request: a JSON object with proposal, declaration, facts and claims")
    if len(found) > 1:
        typer.echo(f"{name} holds {len(found)} requests; this is the last", err=True)
    return found[-1][1]


def _case(folder: Path, name: str) -> "Situation":
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.policy.case import situation
    from sre_agent.policy.lint import suggestion
    from sre_agent.policy.load import load_cases

    cases, bases = load_cases(folder)
    for case in cases:
        if case.id == name:
            return situation(case, bases)
    raise ConfigurationError(f"{folder}/tests: there is no case {name!r}{suggestion(name, tuple(c.id for c in cases))}")


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
