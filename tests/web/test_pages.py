"""The pages: what they say of an incident, whose press counts, and what is answered when nothing can be shown."""

import re
from datetime import timedelta

import pytest

from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Transient
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.response.record import IncidentRecord, State
from sre_agent.verification.verify import Recovery, Sample, VerificationPlan
from tests.web.shown import Shown, books, investigated, words


async def test_the_list_shows_what_an_incident_is_about_and_what_waits(shown, page):
    told = await shown.get("/")
    assert told.status_code == 200
    text = words(told.text)
    for part in ("RedisLatencyHigh", "#4242", "voice-platform", "infra", "owner platform", "Waiting for people", "redis_failover"):
        assert part in text
    assert "1 waiting for people" in text
    assert f'href="{page}"' in told.text


async def test_the_list_filters_by_each_of_its_fields_and_says_so_when_nothing_is_left(shown):
    other, _ = investigated("prompt-regression")
    await shown.put(other)
    for query, seen in [
        ("state=handed_back", "prompt"),
        ("state=open", "redis"),
        ("alert_class=model", "prompt"),
        ("verdict=needs_approval", "redis"),
        ("owner=ai-eng", "prompt"),
        ("text=redislat", "redis"),
    ]:
        text = (await shown.get(f"/?{query}")).text
        assert ("RedisLatencyHigh" in text, "IntentAccuracyDrop" in text) == (seen == "redis", seen == "prompt"), query
    assert "No incident is like that" in (await shown.get("/?service=nobody")).text
    assert "RedisLatencyHigh" in (await shown.get("/?state=no-such-state")).text


async def test_a_long_list_has_pages(shown):
    for n in range(60):
        at = shown.at + timedelta(seconds=n)
        await shown.put(IncidentRecord(id=f"Q{n:02}", received_at=at, updated_at=at))
    first, second = await shown.get("/"), await shown.get("/?page=2")
    assert ("Q59" in first.text, "Q09" in first.text, "Q09" in second.text) == (True, False, True)
    assert 'rel="next" href="/?page=2"' in first.text
    assert 'rel="prev" href="/"' in second.text


async def test_the_first_screenful_says_what_happened_what_is_proposed_and_what_could_go_wrong(shown, page):
    html = (await shown.get(page)).text
    first = words(html[: html.index("What was measured")])
    runbook = books().runbooks["redis-failover"]
    for part in (
        "PING p99 1310 ms on the primary",
        "redis_failover on RedisMaster cache",
        " ".join(runbook.worst_case.split())[:60],
        " ".join(runbook.undo.split())[:60],
        "Needs 2 of team platform",
        "Approve redis_failover",
        "then silence is no",
    ):
        assert part in first


async def test_a_decision_names_each_policy_its_reason_and_leads_to_its_text(shown, page):
    html = (await shown.get(page)).text
    assert '<a href="/policies/tier-failover-two">' in html
    assert "failover of a stateful store: two people approve" in html
    policy = (await shown.get("/policies/tier-failover-two")).text
    assert "redis_failover" in policy
    assert "context.approvals" in policy


@pytest.mark.parametrize("path", ["/", "/approvals", "/switch", "{page}"])
async def test_who_only_looks_sees_no_form_but_the_one_for_colours(path, shown, page):
    shown.asks = "stranger@example.com"
    html = (await shown.get(path.format(page=page))).text
    assert re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', html) == ["/theme"]


@pytest.mark.parametrize("path", ["/", "/incidents/Q1", "/approvals", "/policies", "/runbooks", "/switch"])
async def test_nobody_sees_a_page(path, shown):
    shown.asks = ""
    answer = await shown.get(path)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


async def test_every_piece_of_evidence_is_one_click_away(shown, page):
    links = set(re.findall(rf'href="({page}/evidence/\w+)"', (await shown.get(page)).text))
    record, _ = investigated("redis-slow-primary")
    assert links == {f"{page}/evidence/{e.id}" for e in record.diagnosis.evidence}
    for link in links:
        told = await shown.get(link)
        assert told.status_code == 200
        assert all(part in words(told.text) for part in ("asked", "kind", "observed", "size", "What it said"))
    assert (await shown.get(f"{page}/evidence/e99")).status_code == 404


async def test_the_alerted_metric_is_drawn_first_with_its_limit_and_the_moments(shown, page):
    html = (await shown.get(page)).text
    charts = html[html.index("What was measured") : html.index("Findings")]
    first = charts[: charts.index("</figure>")]
    assert "redis_probe_latency_seconds" in first
    assert "alerted" in first
    assert 'class="d"' in first, "the limit"
    assert 'class="k alert"' in first
    assert "<desc>Begins with" in first
    assert first.count("<tr>") > 5, "the same numbers as a table"


async def test_what_was_done_and_measured_is_shown_with_its_outcome(shown, page):
    record = await shown.store.load(page.rpartition("/")[2])
    at = record.updated_at + timedelta(seconds=30)
    plan = VerificationPlan(started_at=at, below=0.25, unit="s", level_before=1.3, soak_s=60, within_s=120)
    samples = tuple(
        Sample(at=at + timedelta(seconds=10 * n), alert_firing=False, level=0.002, state_ok=True, detail="fine")
        for n in range(1, 8)
    )
    await shown.put(
        record.model_copy(
            update={
                "id": "Q2",
                "approval_id": None,
                "state": State.RECOVERED,
                "outcome": "done: cache moved",
                "measured": {"writes_paused_ms": 812},
                "level_before": 1.3,
                "verification": plan,
                "samples": samples,
                "recovery": Recovery.RECOVERED,
                "timeline": (*record.timeline, TimelineEntry(at=at, kind="recovery_verified", text="recovered")),
            }
        )
    )
    intent = Intent(
        key="k",
        incident_id="Q2",
        action="redis_failover",
        target_key="RedisMaster/-/cache",
        service="voice",
        plan_hash="p",
        permit_id="p",
        state=IntentState.DONE,
        steps=("pause", "failover"),
        result="cache moved to the replica",
        created_at=at,
        closed_at=at + timedelta(seconds=9),
    )
    shown.intents["Q2"] = (intent,)
    html = (await shown.get("/incidents/Q2")).text
    text = words(html)
    for part in ("cache moved to the replica", "closed after 9 s", "pause, failover", "writes paused ms 812", "service level"):
        assert part in text
    assert 'class="k recovery"' in html
    assert "hx-get" not in html, "what is over is not asked for again"


async def test_a_running_incident_is_asked_for_again_and_answers_only_when_it_changed(shown, page):
    html = (await shown.get(page)).text
    where, version = re.search(r'hx-get="([^"?]+)\?version=(\d+)"', html).groups()
    same = await shown.get(f"{where}?version={version}")
    assert (same.status_code, same.content) == (204, b"")
    await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))
    part = await shown.get(f"{where}?version={version}")
    assert part.status_code == 200
    assert "ana</strong> approved" in part.text
    assert "<html" not in part.text


async def test_a_prompt_regression_shows_the_change_behind_it_and_the_score_with_its_mark():
    record, _ = investigated("prompt-regression")
    shown = Shown(record.updated_at)
    await shown.put(record)
    html = (await shown.get(f"/incidents/{record.id}")).text
    text = words(html)
    assert "prompt intent-router: 42 -&gt; 43, live since 2026-03-24 12:31 UTC" in text
    assert "0.912 before (971 scores)" in text
    charts = html[html.index('id="charts"') :]  # where the note's link leads
    assert 'class="k prompt"' in charts
    assert "prompt 43" in charts


async def test_policies_and_runbooks_are_all_there_and_each_has_its_page(shown):
    policies, runbooks = (await shown.get("/policies")).text, (await shown.get("/runbooks")).text
    assert set(re.findall(r'href="/policies/([^"]+)"', policies)) == set(books().bundle.rules)
    assert set(re.findall(r'href="/runbooks/([^"]+)"', runbooks)) == set(books().runbooks)
    assert books().bundle.hash in policies
    for path in (*(f"/policies/{i}" for i in books().bundle.rules), *(f"/runbooks/{i}" for i in books().runbooks)):
        assert (await shown.get(path)).status_code == 200, path
    assert (await shown.get("/policies/none")).status_code == (await shown.get("/runbooks/none")).status_code == 404


async def test_the_chosen_colours_are_kept_and_the_way_back_stays_here(shown):
    chosen = await shown.press("/theme", theme="dark", back="/approvals")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/approvals")
    assert "theme=dark" in chosen.headers["set-cookie"]
    assert '<html lang="en" data-theme="dark">' in (await shown.get("/", cookie="theme=dark")).text
    assert 'data-theme="auto"' in (await shown.get("/", cookie="theme=%22%3E%3Cscript%3E")).text
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"):
        assert (await shown.press("/theme", theme="light", back=elsewhere)).headers["location"] == "/"
    assert (await shown.press("/theme", theme="pink")).status_code == 422


@pytest.mark.parametrize(
    "path", ["/incidents/Q9", "/incidents/%00", "/incidents/" + "x" * 200, "/nothing", "/?page=0", "/?owner=" + "x" * 200]
)
async def test_what_is_not_there_is_a_page_that_says_what_to_do(path, shown):
    answer = await shown.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the incidents" in answer.text


async def test_a_store_that_is_away_is_a_page_too_and_json_stays_json(page):
    record, _ = investigated("redis-slow-primary")

    class Away(type(Shown(record.updated_at).store)):
        async def load(self, incident_id):
            raise Transient("the database cannot be reached")

        async def approvals(self, pending_only):
            raise Transient("the database cannot be reached")

    shown = Shown(record.updated_at, store=Away())
    for path in ("/", page, "/approvals"):
        answer = await shown.get(path)
        assert (answer.status_code, "the database cannot be reached" in answer.text) == (503, True)
        assert answer.headers["content-type"].startswith("text/html")
    assert (await shown.get("/api/v1/incidents/Q1")).json() == {"error": "the database cannot be reached"}


async def test_static_files_are_named_by_their_content_and_nothing_else_is_served(shown):
    html = (await shown.get("/")).text
    links = re.findall(r'"(/static/[^"]+)"', html)
    assert len(links) == 4
    for link in links:
        told = await shown.get(link)
        assert (told.status_code, "immutable" in told.headers["cache-control"]) == (200, True)
    for path in ("/static/../app.py", "/static/..%2fapp.py", "/static/htmx.LICENSE.js", "/static/"):
        assert (await shown.get(path)).status_code == 404


async def _plan(shown: Shown) -> str:
    """The plan as the page shows it in its form."""
    return (await shown.store.approval("apr_1")).plan_hash
