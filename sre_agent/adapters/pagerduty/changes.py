"""PagerDuty change events into Changes. Pure.

The kind is `custom_details.kind` when that is one of ours (deploy, prompt, model, config, flag, infra); else the
first of these words found in the summary or that field decides: prompt; model, llm, temperature; flag, toggle;
config, configuration, setting; terraform, node, cluster, infra, infrastructure; and else it is a deploy. A wrong
guess of prompt or model can only make the agent more careful.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sre_agent.evidence.change import Change, ChangeKind, web_link
from sre_agent.intake.untrusted import fields, items, moment, text

_WORDS: Final = (
    (ChangeKind.PROMPT, re.compile(r"\b(system[ _-]?)?prompts?\b|(?<![a-z])prompts?(?![a-z])", re.IGNORECASE)),
    (ChangeKind.MODEL, re.compile(r"(?<![a-z])(models?|llms?|temperature)(?![a-z])", re.IGNORECASE)),
    (ChangeKind.FLAG, re.compile(r"(?<![a-z])(feature[ _-]?flags?|flags?|toggles?)(?![a-z])", re.IGNORECASE)),
    (ChangeKind.CONFIG, re.compile(r"(?<![a-z])(configs?|configmaps?|configuration|settings?)(?![a-z])", re.IGNORECASE)),
    (ChangeKind.INFRA, re.compile(r"(?<![a-z])(terraform|nodes?|clusters?|infra|infrastructure)(?![a-z])", re.IGNORECASE)),
)


def change_from_event(raw: object, unknown_at: datetime) -> Change:
    """One change event. Without a readable time it is placed at `unknown_at`, so that it is not lost."""
    event = fields(raw)
    details = fields(event.get("custom_details"))
    services = tuple(identity for s in items(event.get("services")) if (identity := text(fields(s).get("id"), 40)))
    kind = change_kind(text(details.get("kind"), 60), text(event.get("summary")))
    return Change(
        at=moment(event.get("timestamp")) or unknown_at,
        kind=kind,
        target=_target(kind, event, details),
        summary=text(event.get("summary")),
        from_version=_first(details, "from", "from_version", "previous") or None,
        to_version=_first(details, "to", "to_version", "version") or None,
        author=_first(details, "author", "user") or None,
        source="pagerduty",
        services=services,
        link=_link(event),
    )


def _link(event: Mapping[str, object]) -> str:
    """Where a person can look at the change: its first link, or else its own page."""
    told = [fields(one).get("href") for one in items(event.get("links"))]
    return next((link for value in (*told, event.get("html_url")) if (link := web_link(value))), "")


def change_kind(stated: str, summary: str) -> ChangeKind:
    """The kind of a change from what was stated, or from its words."""
    try:
        return ChangeKind(stated.strip().lower())
    except ValueError:
        said = f"{stated} {summary}"
    return next((kind for kind, words in _WORDS if words.search(said)), ChangeKind.DEPLOY)


def _target(kind: ChangeKind, event: Mapping[str, object], details: Mapping[str, object]) -> str:
    """What was changed: as stated ("prompt/intent-router"), or else where the event came from."""
    stated = _first(details, "target")
    if stated:
        return stated
    named = _first(details, kind.value, "name", "deployment") or text(event.get("source"), 200)
    return f"{'deployment' if kind is ChangeKind.DEPLOY else kind.value}/{named or 'unknown'}"


def _first(details: Mapping[str, object], *names: str) -> str:
    """The first of these details that holds text."""
    return next((value for name in names if (value := text(details.get(name), 200).strip())), "")
