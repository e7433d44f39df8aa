"""Asks every source at once, each with its own deadline. What a source cannot say becomes ERROR evidence.

Asks a source a second time after a Transient, once, while its deadline allows; not where whoever spoke to the other side
has asked again already (`Transient.retried`), so that a storm of incidents is no storm of questions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.incident.errors import SreAgentError, Transient
from sre_agent.investigation.portion import portion, redacted

# What reading malformed data raises. Programming errors of other kinds (NameError, AssertionError) do surface.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
PAUSE_S = 0.2  # before asking again, when the source did not say how long

Sleep = Callable[[float], Awaitable[None]]


async def fetch(
    sources: Sequence[EvidenceSource], scope: Scope, deadline_s: float, taken: int = 0, sleep: Sleep = asyncio.sleep
) -> tuple[Evidence, ...]:
    """All answers, redacted, numbered on from `taken` in the order of `sources`: the slowest source is the cost.

    `deadline_s` is per source, in seconds, both attempts and the pause between them together.
    """
    answers = await asyncio.gather(*(_ask(source, scope, deadline_s, sleep) for source in sources))
    return numbered(tuple(redacted(e) for answer in answers for e in answer), taken)


def numbered(evidence: Sequence[Evidence], taken: int) -> tuple[Evidence, ...]:
    """The evidence with ids that follow on `taken` given ones."""
    return tuple(e.model_copy(update={"id": f"e{taken + i}"}) for i, e in enumerate(evidence, start=1))


async def _ask(source: EvidenceSource, scope: Scope, deadline_s: float, sleep: Sleep) -> tuple[Evidence, ...]:
    try:
        async with asyncio.timeout(deadline_s) as limit:
            found = await _twice(source, scope, limit, sleep)
            return tuple(portion(e) for e in found)
    except TimeoutError:
        return (_error(source, scope, f"no answer within {deadline_s:g} s"),)
    except SreAgentError as error:
        return (_error(source, scope, str(error)),)
    except OSError as error:
        return (_error(source, scope, f"could not be reached: {error}"),)
    except MALFORMED as error:
        return (_error(source, scope, f"answered something malformed ({type(error).__name__})"),)


async def _twice(source: EvidenceSource, scope: Scope, limit: asyncio.Timeout, sleep: Sleep) -> tuple[Evidence, ...]:
    try:
        return await source.gather(scope)
    except Transient as error:
        pause = PAUSE_S if error.retry_after is None else error.retry_after
        ends = limit.when()
        if error.retried or (ends is not None and asyncio.get_running_loop().time() + pause >= ends):
            raise
    await sleep(pause)
    return await source.gather(scope)


def _error(source: EvidenceSource, scope: Scope, message: str) -> Evidence:
    return Evidence(
        id="",
        source=source.name,
        kind=source.kind,
        query="",
        status=EvidenceStatus.ERROR,
        observed_at=scope.now,
        window=scope.window,
        error=message[:500],
    )
