"""Asks every source at once, each with its own deadline. What a source cannot say becomes ERROR evidence."""

import asyncio
from collections.abc import Sequence

from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.redact import redact_evidence
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.incident.errors import SreAgentError

# What reading malformed data raises. Programming errors of other kinds (NameError, AssertionError) do surface.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


async def fetch(sources: Sequence[EvidenceSource], scope: Scope, deadline_s: float, taken: int = 0) -> tuple[Evidence, ...]:
    """All answers, redacted, numbered on from `taken` in the order of `sources`: the slowest source is the cost.

    `deadline_s` is per source, in seconds.
    """
    answers = await asyncio.gather(*(_ask(source, scope, deadline_s) for source in sources))
    flat = [redact_evidence(e) for answer in answers for e in answer]
    return tuple(e.model_copy(update={"id": f"e{taken + i}"}) for i, e in enumerate(flat, start=1))


async def _ask(source: EvidenceSource, scope: Scope, deadline_s: float) -> tuple[Evidence, ...]:
    try:
        async with asyncio.timeout(deadline_s):
            return await source.gather(scope)
    except TimeoutError:
        return (_error(source, scope, f"no answer within {deadline_s:g} s"),)
    except SreAgentError as error:
        return (_error(source, scope, str(error)),)
    except OSError as error:
        return (_error(source, scope, f"could not be reached: {error}"),)
    except MALFORMED as error:
        return (_error(source, scope, f"answered something malformed ({type(error).__name__})"),)


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
