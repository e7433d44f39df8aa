"""Pages over the worst that alerts, logs, people and models can say: nothing runs, nothing hides, nothing personal shows, and a
page stays small whatever is in it."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import BaseModel

from sre_agent.approval.request import Answer
from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Claim, ModelUsage
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.response.record import IncidentRecord, State
from tests.web.shown import Shown, books, investigated

MOST_BYTES = 250_000
XSS = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' onmouseover=alert(1) {{7*7}} {% raw %} <!--"
NASTY = {
    "xss": XSS,
    "svg": "</text></svg><script>alert(1)</script><svg onload=alert(1)>",
    "markdown": "[click](javascript:alert(1)) **bold** `code` <!channel> <@U123> @here",
    "rtl": "invoice\u202egnp.exe \u2066hidden\u2069 zero\u200bwidth \ufeff",
    "unicode": "naïve 東京 😀 \u0000 \x1b[31m red \ud83d",
    "long": "W" * 5000,
    "comment": "--> ]]> <![CDATA[ </style></title></textarea>",
    "link": "javascript:alert(document.domain)",
}
SECRETS = ("AKIAIOSFODNN7EXAMPLE", "+49 151 23456789", "jane.doe@customer.example", "postgres://app:hunter2secret@db/x")
PERSONAL = "key AKIAIOSFODNN7EXAMPLE phone +49 151 23456789 mail jane.doe@customer.example dsn postgres://app:hunter2secret@db/x"


def poisoned(value: Any, poison: str, path: tuple[str, ...] = ()) -> Any:
    """Every text of a document that somebody outside could have written, with the poison behind it."""
    if isinstance(value, dict):
        return {k: poisoned(v, poison, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, poison, path) for v in value]
    return f"{value} {poison}" if isinstance(value, str) and _free(path) else value


_CLOSED = {
    *("id", "state", "status", "kind", "alert_class", "labelled", "verdict", "at", "onset", "reason_", "outcome_", "source_id"),
    *("received_at", "updated_at", "created_at", "observed_at", "starts_at", "ends_at", "start", "end", "recovery", "plan_hash"),
    *("approval_id", "bundle_hash", "request_sha256", "incident_id", "startsAt", "endsAt", "timestamp", "mode", "environment"),
}


def _free(path: tuple[str, ...]) -> bool:
    named = [p for p in path if not p.isdigit()]
    inside = {"policy_ids", "facts", "samples", "evidence"}
    if named and (named[-1] in _CLOSED or (named[0] == "decision" and "request" in named)):
        return False
    if "payload" in named:
        return named[-1] not in _CLOSED
    return not (named and named[-1] in inside) and not (len(named) >= 2 and named[-2:] == ["findings", "reason"])


def full(slug: str, poison: str) -> Shown:
    """A waiting incident with everything on it, and the poison in every field."""
    record, question = investigated(slug)
    data = poisoned(record.model_dump(mode="json"), poison)
    at = record.updated_at
    rows = [TimelineEntry(at=at, kind=f"kind {poison}"[:200], text=f"line {n} {poison}") for n in range(220)]
    made = IncidentRecord.model_validate(
        {
            **data,
            "judged": None,  # kept for the flight recorder, and on no page
            "state": State.AWAITING_APPROVAL,
            "approval_id": "apr_1",
            "outcome": poison,
            "measured": {poison[:100]: poison},
            "handed_to": poison,
            "reason": poison,
            "model_spent": {1: Spend(calls=2)},
            "timeline": [r.model_dump(mode="json") for r in rows],
        }
    )
    diagnosis = made.diagnosis.model_copy(
        update={"veto": Claim[str](value=poison), "usage": ModelUsage(reasoner=poison, fallback=poison)}
    )
    made = made.model_copy(update={"diagnosis": diagnosis})
    shown = Shown(at + timedelta(seconds=5))
    intent = Intent(
        key="k",
        incident_id=made.id,
        action=poison,
        target_key=poison,
        service=poison,
        plan_hash="p",
        permit_id="p",
        steps=(poison,),
        result=poison,
        state=IntentState.FAILED,
        created_at=at,
    )
    shown.intents[made.id] = (intent,)
    given = Answer(person=poison, approve=True, via=poison, at=at, reason=poison)
    asked = (question or investigated("redis-slow-primary")[1]).model_copy(
        update={"id": "apr_1", "incident_id": made.id, "question": poison, "answers": (given,), "required": 2}
    )
    shown.record, shown.question = made, asked
    return shown


class Seen(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


async def pages_of(shown: Shown) -> dict[str, str]:
    """Every page that shows something of the incident."""
    record = shown.record
    await shown.put(record, shown.question)
    await shown.store.append_audit(AuditEntry(at=record.updated_at, incident_id=record.id, kind="x", actor="y", detail={}))
    await shown.halt.engage(record.reason, record.reason, shown.at)
    page = f"/incidents/{record.id}"
    paths = ["/", page, f"{page}/now?version=999", "/approvals", "/switch"]
    paths += [f"{page}/evidence/{e.id}" for e in record.diagnosis.evidence]
    return {path: (await _ok(shown, path)) for path in paths}


async def _ok(shown: Shown, path: str) -> str:
    answer = await shown.get(path)
    assert answer.status_code == 200, path
    return answer.text


@pytest.mark.real
@pytest.mark.parametrize("slug", ["redis-slow-primary", "pod-crash-loop", "prompt-regression"])
@pytest.mark.parametrize("poison", NASTY.values(), ids=NASTY.keys())
async def test_nothing_in_any_field_becomes_markup_runs_or_hides(poison, slug):
    for path, html in (await pages_of(full(slug, poison))).items():
        seen = Seen()
        seen.feed(html)
        assert all(src is not None and src.startswith("/static/") for src in seen.scripts), path
        assert not {"img", "iframe", "object", "embed", "base", "style", "textarea"} & set(seen.tags), path
        assert [a for a, _ in seen.attributes if a.startswith("on") or a == "style"] == [], path
        links = [v for a, v in seen.attributes if a in ("href", "src", "action", "hx-get") and v]
        assert [v for v in links if not v.startswith(("/", "#", "https://", "http://"))] == [], path
        assert "49" not in re.findall(r"\{\{|7\*7=?(\d+)", html), path
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00\x1b]", html), path
        assert len(html.encode()) <= MOST_BYTES, (path, len(html.encode()))


async def test_nothing_personal_or_secret_is_shown_even_if_it_was_stored():
    shown = full("redis-slow-primary", PERSONAL)
    for path, html in (await pages_of(shown)).items():
        for secret in SECRETS:
            assert secret not in html, (path, secret)
            assert secret.replace("+", "&#43;") not in html, (path, secret)


async def test_a_link_is_followed_only_to_the_web():
    record, question = investigated("redis-slow-primary")
    evidence = record.diagnosis.evidence[0].model_copy(update={"link": "javascript:alert(1)"})
    diagnosis = record.diagnosis.model_copy(update={"evidence": (evidence, *record.diagnosis.evidence[1:])})
    incident = record.incident.model_copy(update={"html_url": "data:text/html,<script>alert(1)</script>"})
    shown = Shown(record.updated_at)
    await shown.put(record.model_copy(update={"diagnosis": diagnosis, "incident": incident}), question)
    for path in (f"/incidents/{record.id}", f"/incidents/{record.id}/evidence/{evidence.id}"):
        html = await _ok(shown, path)
        assert "javascript:" not in html
        assert "data:text" not in html


@pytest.mark.parametrize(
    "payload",
    [
        {"lines": ["x" * 100 + str(n) for n in range(50_000)]},
        {"output": "y" * 5_000_000},
        {"items": [{"a": {"b": ["z" * 1000] * 1000}}] * 5},
        ["w" * 10] * 400_000,
        {"lines": None},
        {"lines": [None, 1, {"line": None}]},
        [],
        None,
    ],
    ids=["log", "text", "nested", "list", "no-lines", "odd-lines", "empty", "none"],
)
async def test_five_megabytes_of_evidence_are_an_excerpt_that_says_so(payload):
    record, question = investigated("redis-slow-primary")
    kind = EvidenceKind.LOGS if isinstance(payload, dict) and "lines" in payload else EvidenceKind.TEXT
    big = Evidence(
        id="e9", source="loki", kind=kind, query="q", status=EvidenceStatus.OK, observed_at=record.updated_at, payload=payload
    )
    diagnosis = record.diagnosis.model_copy(update={"evidence": (*record.diagnosis.evidence, big)})
    shown = Shown(record.updated_at)
    await shown.put(record.model_copy(update={"diagnosis": diagnosis}), question)
    html = await _ok(shown, f"/incidents/{record.id}/evidence/e9")
    assert len(html.encode()) < 60_000
    assert any(said in html for said in ("newest 2", "its beginning", "all of it", "there is nothing in it"))
    assert len((await _ok(shown, f"/incidents/{record.id}")).encode()) < 60_000


async def test_two_hundred_rows_are_shown_and_more_say_how_many_are_left_out():
    shown = full("redis-slow-primary", "fine")
    await shown.put(shown.record, shown.question)
    html = await _ok(shown, f"/incidents/{shown.record.id}")
    story = html[html.index('class="story"') :]
    assert story.count("<time") == 201
    assert "lines left out" in story


@pytest.mark.parametrize("changes", [{"diagnosis": None, "decision": None, "proposal": None}, {"incident": None, "triage": None}])
async def test_a_record_that_knows_little_has_a_page(changes):
    record, _ = investigated("redis-slow-primary")
    bare = record.model_copy(update={**changes, "approval_id": None, "state": State.INVESTIGATING})
    shown = Shown(record.updated_at)
    await shown.put(bare)
    assert record.id in await _ok(shown, "/")
    await _ok(shown, f"/incidents/{record.id}")


async def test_every_recorded_incident_has_a_page():
    for slug in ("mixed", "untagged", "healthy", "poisoned-logs", "provider-outage", "contradictory", "node-not-ready", "tool-429"):
        record, question = investigated(slug)
        shown = Shown(record.updated_at)
        await shown.put(record, question)
        for path in (
            "/",
            f"/incidents/{record.id}",
            *(f"/incidents/{record.id}/evidence/{e.id}" for e in record.diagnosis.evidence),
        ):
            await _ok(shown, path)


def test_what_a_page_is_made_of_is_what_the_records_hold():
    """The poisoning reaches the fields that matter: a test that poisons nothing proves nothing."""
    shown = full("redis-slow-primary", "POISON")
    text = shown.record.model_dump_json()
    assert text.count("POISON") > 400
    assert isinstance(shown.record, BaseModel)
    assert books().bundle.rules
