"""What an incident costs in tokens, by our pessimistic count, over the golden incidents with a scripted model."""

import itertools
import json
import statistics
from pathlib import Path

import pytest

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.investigation.chat import ChatReply, ToolCall
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import ModelReasoner, estimated
from sre_agent.replay.case import case_folders, load_case
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.settings.load import fixed
from sre_agent.testing.reasoning import ScriptedChat, looking_twice
from sre_agent.triage.classify import triage
from sre_agent.wiring import discovery
from sre_agent.wiring.recorded import replay_books

FOLDERS = {f.name: f for f in case_folders((Path(__file__).parent.parent / "incidents",))}
MOST_CALLS, MOST_TOKENS = 12, 15_000


@pytest.fixture(scope="module")
def books():
    return replay_books(fixed({}))


def asking(*looks):
    calls = tuple(ToolCall(id=f"c{i}", name=name, arguments=json.dumps(a)) for i, (name, a) in enumerate(looks))
    return ChatReply(calls=calls, finish="tool_calls", output_tokens=60)


async def requests_of(folder, books):
    """What a model is sent that makes four looks in two rounds and then answers."""
    case = load_case(folder)
    sources = recorded_sources(case)
    chat = ScriptedChat(looking_twice(sources[0].name))
    reasoner = ModelReasoner(chat, [s.name for s in sources], lambda: 0.0)
    runbooks = tuple(books.runbooks.values())
    built = build_investigator(sources, discovery.detectors(), reasoner, runbooks, source_deadline_s=10.0)
    done = await built.investigate(scope_of(case.incident, case.at), triage(case.incident, books.bundle.declared.ownership), "t")
    assert done.diagnosis.usage.fallback is None
    assert len(chat.requests) == 3
    assert done.diagnosis.usage.input_tokens == sum(map(estimated, chat.requests))
    return chat.requests


@pytest.mark.parametrize("name", ["redis-slow-primary", "pod-crash-loop", "deployment-degraded"])
async def test_a_typical_incident_costs_few_calls_and_few_tokens(name, books):
    requests = await requests_of(FOLDERS[name], books)
    assert len(requests) <= MOST_CALLS
    assert sum(map(estimated, requests)) <= MOST_TOKENS


async def test_so_does_the_median_of_all_golden_incidents_and_none_costs_twice_as_much(books):
    costs = [sum(map(estimated, await requests_of(folder, books))) for folder in FOLDERS.values()]
    assert len(costs) > 10
    assert statistics.median(costs) <= MOST_TOKENS
    assert max(costs) <= 2 * MOST_TOKENS


async def test_the_estimate_is_no_smaller_than_the_bytes_sent_allow(books):
    for request in await requests_of(FOLDERS["redis-slow-primary"], books):
        text = "".join(m.text for m in request.messages) + "".join(t.description for t in request.tools)
        assert estimated(request) >= len(text.encode()) / 3


async def test_what_comes_first_is_the_same_bytes_for_every_incident_and_every_turn(books):
    seen = {(r.messages[0].role, r.messages[0].text) for f in FOLDERS.values() for r in await requests_of(f, books)}
    assert len(seen) == 1
    (first,) = seen
    assert first[0] == "system"
    for folder in FOLDERS.values():
        requests = await requests_of(folder, books)
        assert len({json.dumps([t.model_dump() for t in r.tools]) for r in requests}) == 1
        assert len({json.dumps(r.answer_schema) for r in requests}) == 1
        for earlier, later in itertools.pairwise(requests):
            assert later.messages[: len(earlier.messages)] == earlier.messages  # only ever added to


async def test_tools_stay_in_the_prefix_even_when_the_model_must_answer(made):
    again = asking(("search_logs", {"words": "error"}))
    chat = ScriptedChat([again, asking(("search_logs", {"words": "other"})), again, again, again, again])
    built = build_investigator(
        made.slow_redis_sources(),
        [made.detect_slow],
        ModelReasoner(chat, ["redis"], lambda: 0.0),
        made.RUNBOOKS,
        source_deadline_s=5.0,
    )
    await built.investigate(made.scope(), made.triage(), "t")
    assert chat.requests[0].tools == chat.requests[-1].tools


async def test_findings_come_before_evidence_and_only_their_kinds_are_explained(books):
    requests = await requests_of(FOLDERS["redis-slow-primary"], books)
    opening = requests[0].messages[1].text
    assert (
        opening.index("Findings") < opening.index("Ranked causes") < opening.index("<data incident") < opening.index("<data id=e1")
    )
    assert "redis_primary_slow: " in opening
    assert "pod_crash_loop" not in opening + requests[0].messages[0].text


async def test_what_was_shown_is_not_shown_again(books):
    requests = await requests_of(FOLDERS["redis-slow-primary"], books)
    told = [m.text for m in requests[-1].messages if m.role == "tool"]
    assert "says the same as e1" in told[0]
    assert "says the same as an earlier look" in told[3]
    assert requests[-1].messages[-1].text == "Findings and ranking are as before."


async def test_a_log_is_shown_as_templates_and_a_series_as_a_summary(made):
    sources = made.slow_redis_sources()
    lines = [f"2026-03-04T03:{i % 60:02d}:00Z request {i} took {i * 3} ms" for i in range(500)] + [
        "ERROR pool exhausted after 31 s"
    ]
    sources[2]._evidence = (
        made.evidence(EvidenceKind.LOGS, {"namespace": "v", "pod": "p", "container": "c", "lines": lines}, "loki"),
    )
    at = made.ONSET.timestamp()
    samples = [[at + t, 2.0 if t < -60 else 9.0] for t in range(-1800, 180, 30)]
    sources[1]._evidence = (
        made.evidence(EvidenceKind.METRICS, [{"labels": {"__name__": "lag"}, "samples": samples}], "prometheus"),
    )
    chat = ScriptedChat(looking_twice("prometheus")[-1:])
    built = build_investigator(sources, [made.detect_slow], ModelReasoner(chat, [], lambda: 0.0), [], source_deadline_s=5.0)
    await built.investigate(made.scope(), made.triage(), "t")
    opening = chat.requests[0].messages[1].text
    assert "x1 ERROR pool exhausted after # s\nx500 request # took # ms" in opening
    assert "lag n=66 first=2 last=9 min=2 max=9 median before=2 after=9 changed_at=03:07:09" in opening
