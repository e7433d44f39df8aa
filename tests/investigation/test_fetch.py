import asyncio

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.investigation.fetch import fetch
from sre_agent.testing.reasoning import SilentSource, StaticSource


class Meeting:
    """A source that answers only when `parties` of them are asked at the same time."""

    kind = EvidenceKind.METRICS

    def __init__(self, name, barrier, item):
        self.name, self._barrier, self._item = name, barrier, item

    async def gather(self, scope):
        await self._barrier.wait()
        return (self._item,)


async def test_six_sources_are_asked_at_the_same_time(made):
    barrier = asyncio.Barrier(6)
    sources = [Meeting(f"s{i}", barrier, made.evidence(EvidenceKind.METRICS, [], f"s{i}")) for i in range(6)]
    found = await fetch(sources, made.scope(), 2.0)
    assert [e.status for e in found] == [EvidenceStatus.OK] * 6
    assert [(e.id, e.source) for e in found] == [(f"e{i + 1}", f"s{i}") for i in range(6)]


async def test_ids_follow_the_order_of_sources_and_not_of_answers(made):
    first_may_answer = asyncio.Event()

    class Late(StaticSource):
        async def gather(self, scope):
            await first_may_answer.wait()
            return await super().gather(scope)

    class Early(StaticSource):
        async def gather(self, scope):
            first_may_answer.set()
            return await super().gather(scope)

    item = made.evidence(EvidenceKind.LOGS, {})
    found = await fetch(
        [Late("late", EvidenceKind.LOGS, [item, item]), Early("early", EvidenceKind.LOGS, [item])], made.scope(), 30.0, taken=3
    )
    assert [e.id for e in found] == ["e4", "e5", "e6"]


async def test_a_source_that_raises_or_is_silent_becomes_error_evidence_and_harms_no_other(made):
    good = StaticSource("good", EvidenceKind.REDIS, [made.evidence(EvidenceKind.REDIS, made.redis_state())])
    sources = [
        StaticSource("a", EvidenceKind.METRICS, error=Transient("prometheus said 503, password=hunter2")),
        StaticSource("b", EvidenceKind.LOGS, error=Permanent("loki said 404")),
        SilentSource("c", EvidenceKind.KUBERNETES),
        StaticSource("d", EvidenceKind.CHANGES, error=ConnectionRefusedError("refused")),
        StaticSource("e", EvidenceKind.LANGFUSE, error=KeyError("scores")),
        good,
    ]
    found = await fetch(sources, made.scope(), 0.05)
    assert [e.status for e in found] == [EvidenceStatus.ERROR] * 5 + [EvidenceStatus.OK]
    assert [e.kind for e in found[:3]] == [EvidenceKind.METRICS, EvidenceKind.LOGS, EvidenceKind.KUBERNETES]
    assert "503" in found[0].error
    assert "hunter2" not in found[0].error
    assert found[2].error == "no answer within 0.05 s"


async def test_everything_is_redacted_before_it_is_kept(made):
    logs = StaticSource(
        "loki", EvidenceKind.LOGS, [made.evidence(EvidenceKind.LOGS, {"lines": ["login jane@example.com token=abc"]})]
    )
    (found,) = await fetch([logs], made.scope(), 1.0)
    assert "jane@" not in found.model_dump_json()
    assert "abc" not in found.model_dump_json()


class Flaky(StaticSource):
    """Raises `errors` in turn, then answers."""

    def __init__(self, errors, item):
        super().__init__("flaky", EvidenceKind.METRICS, [item])
        self._errors = list(errors)

    async def gather(self, scope):
        found = await super().gather(scope)
        if self._errors:
            raise self._errors.pop(0)
        return found


def tried_already():
    error = Transient("502")
    error.retried = True
    return error


@pytest.mark.parametrize(
    ("errors", "asked", "status", "paused"),
    [
        ([Transient("503")], 2, EvidenceStatus.OK, [0.2]),
        ([Transient("429", retry_after=1.5)], 2, EvidenceStatus.OK, [1.5]),
        ([Transient("429", retry_after=60.0)], 1, EvidenceStatus.ERROR, []),
        ([Transient("503"), Transient("504")], 2, EvidenceStatus.ERROR, [0.2]),
        ([tried_already()], 1, EvidenceStatus.ERROR, []),
        ([Permanent("404")], 1, EvidenceStatus.ERROR, []),
        ([ConnectionResetError("reset")], 1, EvidenceStatus.ERROR, []),
        ([ValueError("<html>")], 1, EvidenceStatus.ERROR, []),
    ],
)
async def test_a_source_is_asked_once_more_after_a_transient_failure_and_only_while_there_is_time(
    made, errors, asked, status, paused
):
    pauses = []

    async def noted(seconds):
        pauses.append(seconds)

    source = Flaky(errors, made.evidence(EvidenceKind.METRICS, []))
    (found,) = await fetch([source], made.scope(), 30.0, sleep=noted)
    assert (len(source.scopes), found.status, pauses) == (asked, status, paused)


async def test_the_second_attempt_has_no_deadline_of_its_own(made):
    class Hangs(Flaky):
        async def gather(self, scope):
            found = await super().gather(scope)
            await asyncio.Event().wait()
            return found

    (found,) = await fetch([Hangs([Transient("503")], made.evidence(EvidenceKind.METRICS, []))], made.scope(), 0.3)
    assert found.error == "no answer within 0.3 s"


async def test_a_source_whose_payload_cannot_be_cut_to_size_harms_no_other(made):
    class Odd(StaticSource):
        async def gather(self, scope):
            return (7,)

    good = StaticSource("good", EvidenceKind.REDIS, [made.evidence(EvidenceKind.REDIS, made.redis_state())])
    found = await fetch([Odd("odd", EvidenceKind.LOGS), good], made.scope(), 5.0)
    assert [e.status for e in found] == [EvidenceStatus.ERROR, EvidenceStatus.OK]
