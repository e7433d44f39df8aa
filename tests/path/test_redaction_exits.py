"""Secrets planted wherever telemetry and people write, and every way out of the process: none of them gets out."""

import io
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sre_agent.adapters.log import JsonLine, log_audited
from sre_agent.adapters.pagerduty.failure import failure
from sre_agent.adapters.pagerduty.transport import Answer, Request
from sre_agent.adapters.patroni import _judge
from sre_agent.audit.record import GENESIS, link
from sre_agent.evidence.redact import redaction_key
from sre_agent.handback.note import render
from sre_agent.incident.errors import Permanent, SreAgentError
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.html import render_page, write_page
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.report.details import Details
from sre_agent.replay.report.page import TEMPLATE, page_values
from sre_agent.replay.report.spreadsheet import cells
from sre_agent.replay.report.tally import Tally
from sre_agent.response import lifecycle
from sre_agent.response.applied import advanced
from sre_agent.response.assess import scope_of
from sre_agent.response.conclude import assessed
from sre_agent.response.document import document
from sre_agent.response.follow_up import note_content
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings import fixed
from sre_agent.testing.openai import OpenAIStandIn, answers, asks
from sre_agent.web.views import detail
from sre_agent.wiring.recorded import dry_run, replay_books

CASE = Path(__file__).parents[1] / "incidents" / "pod-crash-loop"
SECRETS = {
    "password": "Tr0ub4dor-and-3",
    "token": "ghp_" + "Zx9Qw8" * 6,
    "address": "orders:Pa55-w0rd-x@db",
    "mail": "jane.doe@example.org",
    "phone": "+49 170 5550123",
    "record": "MR7654321",
}
TELLING = (
    f"password={SECRETS['password']} token {SECRETS['token']} postgresql://{SECRETS['address']}:5432/x "
    f"mail {SECRETS['mail']} call {SECRETS['phone']} MRN: {SECRETS['record']}"
)
ANSWER = {
    "statements": [{"text": f"The pod dies because of {TELLING}", "evidence": ["e1"]}],
    "alert_class": "infra",
    "confidence_percent": 90,
    "veto": f"do not touch {TELLING}",
    "runbook": None,
}


def leaking(text: str) -> set[str]:
    """The secrets of which six characters in a row of the telling part are in `text`."""
    cores = {"password": "Tr0ub4", "token": "Zx9Qw8", "address": "Pa55-w", "mail": "jane.d", "phone": "555012", "record": "765432"}
    return {name for name, core in cores.items() if core in text}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The case of a crashing pod, with the secrets in its title, annotations, labels, log, events and environment."""
    case = Path(shutil.copytree(CASE, tmp_path / "case"))
    told = json.loads((case / "case.json").read_text())
    told["incident"]["title"] += f" {TELLING}"
    told["alerts"][0]["annotations"]["description"] = TELLING
    (case / "case.json").write_text(json.dumps(told))
    for log in (case / "logs").rglob("*.log"):
        log.write_text(log.read_text() + f"\n{TELLING}\n" + json.dumps({"msg": TELLING, "apiKey": SECRETS["password"]}) + "\n")
    cluster = json.loads((case / "kubernetes.json").read_text())
    for item in cluster["items"]:
        item["metadata"].setdefault("annotations", {})["note"] = TELLING
        for status in (item.get("status") or {}).get("containerStatuses", ()):
            (status.get("lastState", {}).get("terminated") or {})["message"] = TELLING
        if item["kind"] == "Event":
            item["message"] = item.get("message", "") + f" {TELLING}"
    (case / "kubernetes.json").write_text(json.dumps(cluster))
    return case


@dataclass
class Out:
    """What left the process, by channel."""

    said: dict[str, str]
    requests: list[dict[str, Any]]


async def _walked(folder: Path) -> Out:
    """One case through the live rooms with a model in them, and everything that is stored, shown or sent of it."""
    script = [asks("read_evidence", {"id": "e1"}, "c1"), asks("search_logs", {"text": "password"}, "c2"), answers(ANSWER)]
    with OpenAIStandIn(script) as server:
        settings = fixed({"OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "m", "OPENAI_API_KEY": "k"})
        books = replay_books(settings)
        run = dry_run(settings, books, folder)
        with redaction_key(b"k"):
            found = await run.assessor.assess(run.case.incident, human_acknowledged=False, thread="t", now=run.case.at)
        requests = list(server.requests)
        line = (await dry_run(fixed({}), books, folder).result()).line()
        replayed = await dry_run(fixed({}), books, folder).replayed("cases/c")
    case = run.case
    record = IncidentRecord(
        id=case.incident.id, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING, human_acknowledged=False
    )
    step = assessed(record, case.incident, found, case.at, "a1")
    after = advanced(record, step)
    audited = [link(GENESIS, 1, entry) for entry in step.audit]
    note = render(note_content(after, books.runbooks, ""))
    page = {"title": "t", "lead": "l", "checks": [], "chart": "", "timeline": [], "shortened": ""}
    said = {
        "note": note,
        "stored record": document(after),
        "audit": " ".join(r.model_dump_json() for r in audited),
        "API": detail(after, tuple(audited)).model_dump_json(),
        "replay line": line,
        "page": render_page("night.html.j2", {**page, "notes": [{"title": "n", "text": note}]}),
        "report": _report(replayed),
        "model": json.dumps(requests),
        "log": "\n".join(_logged(entry) for entry in step.audit),
    }
    return Out(said, requests)


def _report(replayed: Replayed) -> str:
    """The page, the spreadsheet and a case that failed with a secret in its error."""
    tally, details, page = Tally(), Details(io.BytesIO()), io.StringIO()
    details.add(0, 0, replayed)
    rows = [tally.add(replayed), tally.add(Replayed(case="c", place="c", error=f"cannot read {TELLING}"))]
    write_page(TEMPLATE, page_values(tally, details), page)
    return page.getvalue() + "".join(" ".join(cells(row)) for row in rows)


def _logged(entry: Any) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLine())
    log = logging.getLogger("sre_agent.audit")
    log.addHandler(handler)
    before = log.level
    log.setLevel(logging.INFO)  # not the attribute: what a logger lets through is kept until setLevel
    try:
        log_audited(entry)
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    return stream.getvalue()


async def test_no_planted_secret_leaves_by_any_channel(folder):
    out = await _walked(folder)
    assert len(out.requests) >= 2
    for channel, text in out.said.items():
        assert len(text) > 100, channel
        assert leaking(text) == set(), channel
    # They were there to be found, and what replaced them still correlates.
    assert leaking((folder / "kubernetes.json").read_text()) == set(SECRETS)
    assert "[redacted:" in out.said["model"]
    assert "[redacted:" in out.said["stored record"]


async def test_a_replay_with_secrets_says_the_same_bytes_twice(folder):
    settings = fixed({})
    lines = [(await dry_run(settings, replay_books(settings), folder).result()).line() for _ in range(2)]
    assert lines[0] == lines[1]


class Failing:
    """A source whose server quotes a credential in its refusal."""

    def __init__(self, error: Exception, like: Any) -> None:
        self.error, self.name, self.kind = error, like.name, like.kind

    async def gather(self, scope):
        raise self.error


@pytest.mark.parametrize("error", [Permanent(f"401: {TELLING}"), OSError(f"no route to {TELLING}")])
async def test_the_error_of_a_failing_source_tells_no_secret(folder, error):
    from sre_agent.replay.case import load_case
    from sre_agent.replay.recorded import recorded_sources

    case = load_case(folder)
    [told] = await fetch([Failing(error, recorded_sources(case)[0])], scope_of(case.incident, case.at), 5.0)
    assert told.error
    assert leaking(told.model_dump_json()) == set()


def test_what_a_server_said_is_quoted_without_its_secrets():
    with pytest.raises(SreAgentError) as refused:
        _judge("http://patroni:8008", httpx.Response(503, text=TELLING))
    assert leaking(str(refused.value)) == set()
    told = failure(Request("POST", "/x"), Answer(400, {"error": {"message": TELLING, "errors": [TELLING]}}, {}))
    assert leaking(str(told)) == set()


def test_a_reason_that_quotes_an_error_is_clean_in_record_timeline_and_audit(folder):
    from sre_agent.replay.case import load_case

    case = load_case(folder)
    record = IncidentRecord(
        id=case.incident.id, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING, human_acknowledged=False
    )
    step = lifecycle.handed_back(record, f"the action failed: {TELLING}", case.at)
    assert leaking(document(advanced(record, step))) == set()
    assert leaking(step.audit[0].model_dump_json()) == set()
