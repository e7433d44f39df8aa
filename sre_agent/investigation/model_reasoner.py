"""The reasoner that asks a chat model, within ceilings, and falls back to rules when that does not work.

One turn is one call, so that a checkpoint after each saves every call that was paid for. Nothing a model
does raises out of here: down, slow, over budget, refusing, looping or talking nonsense all end in the rules
reasoner's opinion, with `usage.fallback` saying why.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_agent.evidence.budget import Ceilings, Price, Spend, over_ceiling, tokens_in
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.investigation import prompts
from sre_agent.investigation.chat import ChatModel, ChatReply, ChatRequest, Message, ModelRateLimited, ModelSlow
from sre_agent.investigation.reasoner import Brief, Dialogue, Look, LookAnswer, Opinion, Statement, Turn
from sre_agent.investigation.tools import specs

MOST_ROUNDS = 4
MOST_LOOKS = 4
MOST_STRIKES = 2
MOST_ATTEMPTS = 2  # requests per call; the adapter retries, and only it
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(\{.*\})\s*```\s*\Z", re.DOTALL)


class Fallback(StrEnum):
    """Why the rules reasoner took over."""

    DOWN = "model-down"
    RATE_LIMITED = "model-rate-limited"
    SLOW = "model-slow"
    REJECTED = "model-rejected-the-request"
    OVER_BUDGET = "over-budget"
    REFUSED = "model-refused"
    GARBAGE = "model-answered-garbage"
    LOOPED = "model-kept-looking"


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    text: str = Field(min_length=1)
    evidence: list[str]


class _Answer(BaseModel):
    """The structured answer, checked: anything else in it makes it garbage."""

    model_config = ConfigDict(extra="forbid", strict=True)

    statements: list[_Stated] = Field(max_length=20)
    alert_class: AlertClass
    confidence_percent: int = Field(ge=0, le=100)
    veto: str | None
    runbook: str | None


class ModelReasoner:
    """Asks `chat` under `ceilings`. `clock` is monotonic seconds; `sources` are the names looks may use."""

    def __init__(
        self,
        chat: ChatModel,
        sources: Sequence[str],
        clock: Callable[[], float],
        ceilings: Ceilings | None = None,
        price: Price | None = None,
    ) -> None:
        self.name = chat.name
        self._chat = chat
        self._tools = specs(sources)
        self._clock = clock
        self._ceilings = ceilings or Ceilings()
        self._price = price or Price()

    async def turn(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...]) -> Turn:
        """One call to the model at most."""
        dialogue = _continued(brief, dialogue, answers)
        if dialogue.strikes > MOST_STRIKES:
            return self._rules(dialogue, Fallback.LOOPED if dialogue.rounds else Fallback.GARBAGE)
        last = dialogue.rounds >= MOST_ROUNDS or dialogue.spent.calls + 1 >= self._ceilings.calls
        if last:
            dialogue = _said(dialogue, Message(role="user", text=prompts.ANSWER_NOW))
        request = self._request(dialogue, last)
        estimate = tokens_in(request.model_dump_json())
        if over_ceiling(self._ceilings, dialogue.spent, estimate, self._price) is not None:
            return self._rules(dialogue, Fallback.OVER_BUDGET)
        started = self._clock()
        reply = await self._ask(request)
        seconds = max(0.0, self._clock() - started)
        if isinstance(reply, Fallback):
            return self._rules(_spent(dialogue, Spend(calls=request.attempts, seconds=seconds)), reply)
        return self._heard(_spent(dialogue, self._cost(reply, estimate, seconds)), reply, last)

    def _request(self, dialogue: Dialogue, last: bool) -> ChatRequest:
        return ChatRequest(
            messages=dialogue.messages,
            tools=() if last else self._tools,
            answer_schema=prompts.answer_schema(),
            max_output_tokens=self._ceilings.output_tokens,
            timeout_s=max(0.001, self._ceilings.seconds - dialogue.spent.seconds),
            attempts=max(1, min(MOST_ATTEMPTS, self._ceilings.calls - dialogue.spent.calls)),
        )

    async def _ask(self, request: ChatRequest) -> ChatReply | Fallback:
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._chat.complete(request)
        except (TimeoutError, ModelSlow):
            return Fallback.SLOW
        except ModelRateLimited:
            return Fallback.RATE_LIMITED
        except Transient:
            return Fallback.DOWN
        except Permanent:
            return Fallback.REJECTED

    def _cost(self, reply: ChatReply, estimate: int, seconds: float) -> Spend:
        """What the provider says was used, or our estimate when it says nothing."""
        read = reply.input_tokens or estimate
        written = reply.output_tokens or tokens_in(reply.text + "".join(c.arguments for c in reply.calls))
        usd = self._price.usd(read, written)
        return Spend(calls=max(1, reply.attempts), input_tokens=read, output_tokens=written, usd=usd, seconds=seconds)

    def _heard(self, dialogue: Dialogue, reply: ChatReply, last: bool) -> Turn:
        if reply.refusal or reply.finish == "content_filter":
            return self._rules(dialogue, Fallback.REFUSED)
        if reply.calls:
            return self._rules(dialogue, Fallback.LOOPED) if last else _looking(dialogue, reply)
        answer = _parsed(reply.text) if reply.finish != "length" else None
        if answer is not None:
            return Turn(dialogue=dialogue, opinion=_opinion(answer, self._usage(dialogue, None)))
        if last or dialogue.strikes + 1 > MOST_STRIKES:
            return self._rules(dialogue, Fallback.GARBAGE)
        said = (Message(role="assistant", text=reply.text[:2000] or "(nothing)"), Message(role="user", text=prompts.UNUSABLE))
        return Turn(dialogue=_said(dialogue, *said).model_copy(update={"strikes": dialogue.strikes + 1}))

    def _rules(self, dialogue: Dialogue, why: Fallback) -> Turn:
        return Turn(dialogue=dialogue, opinion=Opinion(usage=self._usage(dialogue, why)))

    def _usage(self, dialogue: Dialogue, fallback: Fallback | None) -> ModelUsage:
        spent = dialogue.spent
        return ModelUsage(
            reasoner=self.name,
            calls=spent.calls,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            usd=spent.usd,
            fallback=fallback.value if fallback else None,
        )


def _continued(brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...]) -> Dialogue:
    """The conversation with what happened since: its opening, or the answers to the last looks."""
    if not dialogue.messages:
        system = Message(role="system", text=prompts.SYSTEM + "\n" + prompts.vocabulary())
        return dialogue.model_copy(update={"messages": (system, Message(role="user", text=prompts.opening(brief)))})
    if not answers:
        return dialogue
    told = [Message(role="tool", call_id=a.call_id, text=a.text) for a in answers]
    invalid = sum(not a.valid for a in answers)
    strikes = dialogue.strikes + min(1, invalid)
    return _said(dialogue, *told, Message(role="user", text=prompts.judged(brief))).model_copy(update={"strikes": strikes})


def _looking(dialogue: Dialogue, reply: ChatReply) -> Turn:
    """At most MOST_LOOKS looks of one reply are made; asking for the same look twice is a strike."""
    calls = reply.calls[:MOST_LOOKS]
    wanted = tuple(f"{c.name} {c.arguments}" for c in calls)
    repeated = bool(set(wanted) & set(dialogue.seen))
    told = _said(dialogue, Message(role="assistant", text=reply.text[:2000], calls=calls))
    changed = {"rounds": dialogue.rounds + 1, "seen": (*dialogue.seen, *wanted), "strikes": dialogue.strikes + repeated}
    looks = tuple(Look(call_id=c.id, tool=c.name, arguments=c.arguments) for c in calls)
    return Turn(dialogue=told.model_copy(update=changed), looks=looks)


def _said(dialogue: Dialogue, *messages: Message) -> Dialogue:
    return dialogue.model_copy(update={"messages": (*dialogue.messages, *messages)})


def _spent(dialogue: Dialogue, more: Spend) -> Dialogue:
    return dialogue.model_copy(update={"spent": dialogue.spent.plus(more)})


def _parsed(text: str) -> _Answer | None:
    """The answer, bare or in one code fence; None for anything else (prose around it is garbage)."""
    fenced = _FENCE.match(text)
    try:
        return _Answer.model_validate_json(fenced.group(1) if fenced else text)
    except ValidationError:
        return None


def _opinion(answer: _Answer, usage: ModelUsage) -> Opinion:
    return Opinion(
        statements=tuple(Statement(text=s.text, evidence=tuple(s.evidence)) for s in answer.statements),
        claimed_class=answer.alert_class,
        confidence_bp=answer.confidence_percent * 100,
        veto=answer.veto,
        runbook=answer.runbook,
        usage=usage,
    )
