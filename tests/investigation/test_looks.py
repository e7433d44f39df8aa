"""Looks of one reply: made side by side, with closed arguments, answered in marked blocks."""

import asyncio
import json

import pytest

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.investigation.reasoner import Look
from sre_agent.investigation.tools import Looks, specs
from sre_agent.testing.reasoning import SilentSource, StaticSource

SERIES = [{"labels": {"__name__": "latency", "pod": "a"}, "samples": [[float(t), 1.0 + t] for t in range(40)]}]
POD = {
    "kind": "Pod",
    "metadata": {"name": "API-1", "namespace": "voice", "managedFields": [{"manager": "kubectl"}]},
    "spec": {"x": 1},
}


def look(tool, call_id="c1", within_s=None, **arguments):
    return Look(call_id=call_id, tool=tool, arguments=json.dumps(arguments), within_s=within_s)


@pytest.fixture
def gathered(made):
    lines = {"namespace": "v", "pod": "p", "lines": ["Timeout 1", "fine", "Timeout 1", "timeout 2 </data>"]}
    items = (made.evidence(EvidenceKind.METRICS, SERIES, "prometheus", "e1"), made.evidence(EvidenceKind.LOGS, lines, "loki", "e2"))
    return (*items, made.evidence(EvidenceKind.KUBERNETES, {"items": [POD]}, "kubernetes", "e3"))


async def one(made, asked, gathered, sources=()):
    (answer,), brought = await Looks(sources, 1.0).answers([asked], made.scope(), gathered)
    return answer, brought


class Turnstile(StaticSource):
    """Answers when the source after it has answered: the last one asked is the first to answer."""

    def __init__(self, name, item, after, opens):
        super().__init__(name, EvidenceKind.LOGS, [item])
        self._after, self._opens = after, opens

    async def gather(self, scope):
        if self._after is not None:
            await self._after.wait()
        self._opens.set()
        return await super().gather(scope)


async def test_the_looks_of_one_reply_are_made_side_by_side_and_ids_follow_their_order(made, gathered):
    gates = [asyncio.Event() for _ in range(3)]
    item = made.evidence(EvidenceKind.LOGS, {"lines": ["x"]})
    sources = [Turnstile(f"s{i}", item, gates[i + 1] if i < 2 else None, gates[i]) for i in range(3)]
    asked = [look("look_again", f"c{i}", source=f"s{i}", minutes_before_onset=60) for i in range(3)]
    answers, brought = await Looks(sources, 5.0).answers(asked, made.scope(), gathered)
    assert [(e.id, e.source) for e in brought] == [("e4", "s"), ("e5", "s"), ("e6", "s")]
    assert [(a.call_id, a.evidence) for a in answers] == [("c0", ("e4",)), ("c1", ("e5",)), ("c2", ("e6",))]


async def test_a_silent_source_costs_the_look_no_more_than_what_is_left_and_the_others_are_answered(made, gathered):
    asked = [look("look_again", "c1", 0.02, source="silent", minutes_before_onset=60), look("search_logs", "c2", words="timeout")]
    answers, brought = await Looks([SilentSource("silent", EvidenceKind.METRICS)], 3600.0).answers(asked, made.scope(), gathered)
    assert brought[0].error == "no answer within 0.02 s"
    assert answers[0].valid
    assert "hits=3" in answers[1].text


async def test_logs_are_searched_in_any_case_and_each_shape_is_shown_once_with_its_count(made, gathered):
    answer, _ = await one(made, look("search_logs", words="TIMEOUT"), gathered)
    assert answer.text == "<data search hits=3>\ne2: x2 Timeout 1\ne2: timeout 2 &lt;/data&gt;\n</data>"


async def test_a_gathered_series_is_shown_with_samples_and_no_other_can_be_asked_for(made, gathered):
    answer, _ = await one(made, look("series", name="latency"), gathered)
    assert "latency{pod=a}" in answer.text
    assert "from the onset" in answer.text
    refused, _ = await one(made, look("series", name="up{job='x'} or vector(1)"), gathered)
    assert not refused.valid
    assert "known: latency" in refused.text


async def test_a_gathered_object_is_shown_and_no_other_can_be_asked_for(made, gathered):
    answer, _ = await one(made, look("object", kind="pod", name="api-1"), gathered)
    assert answer.text.startswith("<data object in=e3>\nkind=Pod")
    assert "managedFields" not in answer.text
    refused, _ = await one(made, look("object", kind="Secret", name="db"), gathered)
    assert (refused.valid, "no such object was gathered" in refused.text) == (False, True)


REFUSED = {
    "unknown tool": Look(call_id="c", tool="kubectl", arguments='{"a": 1}'),
    "no json": Look(call_id="c", tool="series", arguments="{oops"),
    "a list": Look(call_id="c", tool="series", arguments="[]"),
    "another argument": look("read_evidence", id="e1", url="http://x"),
    "number as text": look("read_evidence", id="e1", offset="0"),
    "negative offset": look("read_evidence", id="e1", offset=-1),
    "unknown id": look("read_evidence", id="e99", offset=0),
    "unknown source": look("look_again", source="shell", minutes_before_onset=60),
    "a year": look("look_again", source="redis", minutes_before_onset=525_600),
    "empty words": look("search_logs", words=""),
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_no_look_is_answered_in_a_block_and_asks_nobody(made, gathered, asked):
    source = StaticSource("redis", EvidenceKind.REDIS)
    answer, brought = await one(made, asked, gathered, [source])
    assert (answer.valid, brought, source.scopes) == (False, (), [])
    assert answer.text.startswith("<data look refused>\n")
    assert answer.text.endswith("\n</data>")


async def test_malformed_evidence_answers_no_look_with_an_error(made):
    odd = [
        made.evidence(EvidenceKind.METRICS, [{"labels": 3}, 7], id="e1"),
        made.evidence(EvidenceKind.LOGS, {"lines": 5}, id="e2"),
        made.evidence(EvidenceKind.LOGS, ["x"], id="e3"),
        made.evidence(EvidenceKind.KUBERNETES, {"items": [1, {"kind": "Pod", "metadata": None}]}, id="e4"),
    ]
    asked = [look("series", "c1", name="x"), look("search_logs", "c2", words="xx"), look("object", "c3", kind="Pod", name="x")]
    answers, _ = await Looks([], 1.0).answers(asked, made.scope(), tuple(odd))
    assert [a.valid for a in answers] == [False, True, False]


def test_the_tools_take_no_query_no_address_and_no_free_object():
    taken = {t.name: sorted(t.parameters["properties"]) for t in specs(["redis", "loki"])}
    assert taken == {
        "look_again": ["minutes_before_onset", "source"],
        "read_evidence": ["id", "offset"],
        "search_logs": ["words"],
        "series": ["name"],
        "object": ["kind", "name"],
    }
    assert specs(["loki", "redis", "redis"]) == specs(["redis", "loki"])
    assert all(t.parameters["additionalProperties"] is False for t in specs(["redis"]))
