"""The settings themselves, and the files that people wrote: what can be told without asking any server."""

import os
from collections.abc import Iterator

from sre_agent.policy.facts import Mode
from sre_agent.policy.people import NO_TOKEN, People
from sre_agent.settings import Settings, variables
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import SETTINGS, Seen, broken, listed, ok, skipped, together, warning

OURS = "SRE_AGENT_"
NOT_SETTINGS = frozenset({"SRE_AGENT_APPROVER_TOKEN"})
"""Variables of ours that a command reads and no process keeps."""
EXAMPLES = ("@example.com", "U00000", "P00000", "U0000", "P0000")
"""What the identities in the shipped teams.yaml look like."""
WRITERS = (
    "SRE_AGENT_WRITE_KUBECONFIG",
    "REDIS_WRITE_USERNAME",
    "REDIS_CLUSTER_WRITE_USERNAME",
    "PATRONI_WRITE_USERNAME",
)


async def _values(connections: Connections) -> Seen:
    unknown = sorted(v for v in os.environ if v.startswith(OURS) and v not in variables() and v not in NOT_SETTINGS)
    if unknown:
        return warning(
            f"the environment has {listed(unknown)}, which no setting is called", "Correct the name: docs/settings.md lists all."
        )
    if connections.settings.pagerduty_api_token is None and connections.terms.role != "web":
        return warning(
            "PAGERDUTY_API_TOKEN is not set: without it neither worker nor hands start",
            "Set it with PAGERDUTY_FROM_EMAIL; a process of role web needs neither (--role web).",
        )
    given = len(connections.settings.model_fields_set)
    return ok(f"{given} of {len(variables())} settings are set, and none contradicts another")


async def _mode(connections: Connections) -> Seen:
    s = connections.settings
    if s.mode is Mode.OFF:
        return warning("mode off: nothing is heard, nothing is looked at", "Set SRE_AGENT_MODE to observe, approve or auto.")
    if s.mode is Mode.OBSERVE:
        return ok("mode observe: it looks and tells, and never acts")
    if connections.terms.acts and not any(getattr(s, variables()[v]) for v in WRITERS):
        return warning(
            f"mode {s.mode.value}, but no write credentials are set: nothing can be acted on",
            f"Set one of {', '.join(WRITERS)} where the hands run, or go back to mode observe.",
        )
    return ok(f"mode {s.mode.value}")


async def _policies(connections: Connections) -> Seen:
    books = await connections.books()
    rules = [r for r in books.bundle.rules.values() if not r.shadow]
    return ok(f"bundle {books.bundle.hash[:12]} with {len(rules)} policies, and {len(books.runbooks)} runbooks")


async def _people(connections: Connections) -> Seen:
    return together(_judged_people((await connections.books()).bundle.declared.people))


def _judged_people(people: People) -> Iterator[Seen]:
    examples = [p.id for p in people.people if _example(p.slack, p.pagerduty, p.oidc)]
    if examples:
        yield warning(
            f"{listed(examples)} in teams.yaml {'is' if len(examples) == 1 else 'are'} still the shipped example",
            "Write your own teams.yaml into the folder of SRE_AGENT_POLICY_DATA.",
        )
    empty = sorted(team for team, members in people.teams.items() if not members)
    if empty:
        yield warning(f"nobody is in team {listed(empty)}", "Put people into the team in teams.yaml, or take it out.")
    provable = [p for p in people.people if p.cli_token_sha256 not in (None, NO_TOKEN)]
    if not provable:
        yield warning(
            "nobody has a token, so nobody can lift the kill switch",
            "Give a person cli_token_sha256; teams.yaml says how to make one.",
        )
    yield ok(f"{len(people.people)} people in {len(people.teams)} teams, {len(provable)} with a token")


def _example(*identities: str | None) -> bool:
    return any(i is not None and (i.startswith(EXAMPLES) or i.endswith(EXAMPLES)) for i in identities)


async def _targets(connections: Connections) -> Seen:
    targets = (await connections.books()).bundle.declared.targets
    managed = [key for key, declared in targets.root.items() if declared.managed]
    if managed:
        return ok(f"{len(managed)} managed: {listed(sorted(managed))}")
    if connections.settings.mode in (Mode.OFF, Mode.OBSERVE):
        return ok("no target is declared: nothing would ever be touched", "Declare targets before any other mode than observe.")
    return warning(
        "no target is declared, so nothing will ever be touched",
        "Write your own targets.yaml into the folder of SRE_AGENT_POLICY_DATA (docs/policies.md).",
    )


async def _routing(connections: Connections) -> Seen:
    ownership = (await connections.books()).bundle.declared.ownership
    homeless = sorted(r for r in ownership.receivers if not ownership.escalation_policy(r))
    if homeless:
        return warning(
            f"no escalation policy for {listed(homeless)}: such incidents stay where they are",
            "Write PagerDuty's ids into your own routing.yaml in the folder of SRE_AGENT_POLICY_DATA.",
        )
    return ok(f"{len(ownership.receivers)} receivers have an escalation policy")


async def _files(connections: Connections) -> Seen:
    named = tuple(_named_files(connections.settings))
    return together(named) if named else skipped("no setting names a file")


def _named_files(settings: Settings) -> Iterator[Seen]:
    for variable in ("KUBECONFIG", "SRE_AGENT_WRITE_KUBECONFIG", "REDIS_CA", "SRE_AGENT_TOPOLOGY"):
        path = getattr(settings, variables()[variable])
        if path is None:
            continue
        if not path.is_file() or not os.access(path, os.R_OK):
            yield broken(f"{variable} names {path}, no file that can be read", f"Correct {variable}, or put the file there.")
        elif variable.endswith("KUBECONFIG") and path.stat().st_mode & 0o077:
            yield warning(f"{path} ({variable}) can be read by other users", f"chmod 600 {path}")
        else:
            yield ok(f"{variable} can be read")


_RELOAD = "Run `sre-agent policy check` and `sre-agent runbook check`: they name file and line."
_OWN = ("SRE_AGENT_POLICY_DATA",)
_BOOKS = ("SRE_AGENT_POLICIES", *_OWN, "SRE_AGENT_RUNBOOKS")
_LOADED = "settings.policies"
_VALUES = "No setting is wrong, unknown or contradicted by another."
_FILES = "Files that settings name can be read, and kubeconfigs by nobody else."
_LOAD = "Policies, their data and the runbooks load; the hash of the bundle."
_MODE = "How far the agent may go, and whether it has the credentials for it."
_PEOPLE = "teams.yaml is your own, and somebody can lift the kill switch."
_TARGETS = "Something is declared that may be touched."
_ROUTING = "Every receiver has an escalation policy, so that hand-backs reach their owner."
CHECKS = (
    Check(SETTINGS, "values", _VALUES, _values, "Correct the setting."),
    Check(SETTINGS, "files", _FILES, _files, "Correct the path."),
    Check(SETTINGS, "policies", _LOAD, _policies, _RELOAD, about=_BOOKS, books=True),
    Check(SETTINGS, "mode", _MODE, _mode, "Correct SRE_AGENT_MODE.", about=("SRE_AGENT_MODE",)),
    Check(SETTINGS, "people", _PEOPLE, _people, _RELOAD, about=_OWN, after=_LOADED, books=True),
    Check(SETTINGS, "targets", _TARGETS, _targets, _RELOAD, about=_OWN, after=_LOADED, books=True),
    Check(SETTINGS, "routing", _ROUTING, _routing, _RELOAD, about=_OWN, after=_LOADED, books=True),
)
