"""The reasoner that asks a chat model, within ceilings, and falls back to rules when that does not work.

One turn is one call, reserved in a checkpoint before it is made, so that every answer that was paid for is kept and a
call that a crash swallowed is charged. Nothing a model does raises out of here: down, slow, over budget, refusing,
looping or talking nonsense all end in the rules reasoner's opinion, with `usage.fallback` saying why.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from enum import StrEnum

from sre_agent.evidence.budget import Ceilings, Price, Spend, over_ceiling, tokens_in
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.investigation import prompts
from sre_agent.investigation.answer import parsed, usable_calls
from sre_agent.investigation.chat import ChatModel, ChatReply, ChatRequest, Message, ModelRateLimited, ModelSlow
from sre_agent.investigation.conversation import continued, said, spent
from sre_agent.investigation.reasoner import Brief, Dialogue, Look, LookAnswer, Opinion, Reservation, Turn
from sre_agent.investigation.tools import specs

MOST_ROUNDS = 4
MOST_LOOKS = 4
MOST_STRIKES = 2
MOST_ATTEMPTS = 2  # requests per call; the adapter retries, and only it
MESSAGE_TOKENS = 8  # what a provider adds around a message or a tool


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
        # Tickets of calls reserved here and not made yet: what is not in it was reserved by a process that is gone.
        self._open: set[str] = set()

    def prepare(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...], looked_s: float) -> Turn:
        """The next message, and a reservation for the call that sends it; an opinion when no call may be made."""
        dialogue = spent(continued(brief, dialogue, answers), Spend(seconds=looked_s))
        if dialogue.strikes > MOST_STRIKES:
            return self._rules(dialogue, Fallback.LOOPED if dialogue.rounds else Fallback.GARBAGE)
        last = dialogue.rounds >= MOST_ROUNDS or not self._another_fits(dialogue)
        if last:
            dialogue = said(dialogue, Message(role="user", text=prompts.ANSWER_NOW))
        estimate = estimated(self._request(dialogue, last=last))
        if over_ceiling(self._ceilings, dialogue.total, estimate, self._price) is not None:
            return self._rules(dialogue, Fallback.OVER_BUDGET)
        ticket = secrets.token_hex(8)
        self._open.add(ticket)
        reservation = Reservation(ticket=ticket, spend=self._dearest(estimate), last=last)
        return Turn(dialogue=dialogue.model_copy(update={"reserved": reservation}))

    async def ask(self, dialogue: Dialogue) -> Turn:
        """Makes the reserved call. One that was reserved elsewhere may have been made: it is charged, and none is made."""
        reserved = dialogue.reserved
        if reserved is None or reserved.ticket not in self._open:
            return Turn(dialogue=dialogue.model_copy(update={"spent": dialogue.owed, "reserved": None}))
        self._open.discard(reserved.ticket)
        dialogue = dialogue.model_copy(update={"reserved": None})
        request = self._request(dialogue, last=reserved.last)
        started = self._clock()
        reply = await self._reply(request)
        seconds = max(0.0, self._clock() - started)
        if isinstance(reply, Fallback):
            return self._rules(spent(dialogue, self._wasted(request, reserved, reply, seconds)), reply)
        return self._heard(spent(dialogue, self._cost(reply, reserved, seconds)), reply, reserved.last)

    def _another_fits(self, dialogue: Dialogue) -> bool:
        """False when after this call no other of its size would fit: then this one must bring the answer."""
        estimate = estimated(self._request(dialogue, last=False))
        after = dialogue.total.plus(self._dearest(estimate))
        return over_ceiling(self._ceilings, after, estimate, self._price) is None

    def _dearest(self, estimate: int) -> Spend:
        """What one call of `estimate` input tokens may cost at most."""
        most = self._ceilings.output_tokens
        return Spend(calls=1, input_tokens=estimate, output_tokens=most, usd=self._price.usd(estimate, most))

    def _request(self, dialogue: Dialogue, *, last: bool) -> ChatRequest:
        total = dialogue.total
        return ChatRequest(
            messages=dialogue.messages,
            tools=self._tools,
            answer_now=last,
            answer_schema=prompts.answer_schema(),
            max_output_tokens=self._ceilings.output_tokens,
            timeout_s=max(0.001, self._ceilings.seconds - total.seconds),
            attempts=max(1, min(MOST_ATTEMPTS, self._ceilings.calls - total.calls)),
        )

    async def _reply(self, request: ChatRequest) -> ChatReply | Fallback:
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

    def _wasted(self, request: ChatRequest, reserved: Reservation, why: Fallback, seconds: float) -> Spend:
        """A call without an answer. One that was only too slow was read and is billed; nobody bills a refusal to read."""
        if why is not Fallback.SLOW:
            return Spend(calls=request.attempts, seconds=seconds)
        read = reserved.spend.input_tokens
        return Spend(calls=request.attempts, input_tokens=read, usd=self._price.usd(read, 0), seconds=seconds)

    def _cost(self, reply: ChatReply, reserved: Reservation, seconds: float) -> Spend:
        """What the provider says was used, or our estimate when it says nothing."""
        read = reply.input_tokens or reserved.spend.input_tokens
        written = reply.output_tokens or tokens_in(reply.text + "".join(c.arguments for c in reply.calls))
        usd = self._price.usd(read, written)
        calls = max(1, reply.attempts)
        return Spend(calls=calls, input_tokens=read, output_tokens=written, usd=usd, seconds=seconds, answered=1)

    def _heard(self, dialogue: Dialogue, reply: ChatReply, last: bool) -> Turn:
        if reply.refusal or reply.finish == "content_filter":
            return self._rules(dialogue, Fallback.REFUSED)
        if reply.calls:
            return self._rules(dialogue, Fallback.LOOPED) if last else self._looking(dialogue, reply)
        opinion = parsed(reply.text) if reply.finish != "length" else None
        if opinion is not None:
            return Turn(dialogue=dialogue, opinion=opinion.model_copy(update={"usage": self._usage(dialogue, None)}))
        if last or dialogue.strikes + 1 > MOST_STRIKES:
            return self._rules(dialogue, Fallback.GARBAGE)
        told = (Message(role="assistant", text=reply.text[:2000] or "(nothing)"), Message(role="user", text=prompts.UNUSABLE))
        return Turn(dialogue=said(dialogue, *told).model_copy(update={"strikes": dialogue.strikes + 1}))

    def _looking(self, dialogue: Dialogue, reply: ChatReply) -> Turn:
        """At most MOST_LOOKS looks of one reply are made; asking for the same look twice is a strike."""
        calls = usable_calls(reply.calls, MOST_LOOKS, dialogue.rounds + 1)
        wanted = tuple(f"{c.name} {c.arguments}" for c in calls)
        repeated = bool(set(wanted) & set(dialogue.seen))
        told = said(dialogue, Message(role="assistant", text=reply.text[:2000], calls=calls))
        changed = {"rounds": dialogue.rounds + 1, "seen": (*dialogue.seen, *wanted), "strikes": dialogue.strikes + repeated}
        left = max(0.0, self._ceilings.seconds - dialogue.total.seconds)
        looks = tuple(Look(call_id=c.id, tool=c.name, arguments=c.arguments, within_s=left) for c in calls)
        return Turn(dialogue=told.model_copy(update=changed), looks=looks)

    def _rules(self, dialogue: Dialogue, why: Fallback) -> Turn:
        return Turn(dialogue=dialogue, opinion=Opinion(usage=self._usage(dialogue, why)))

    def _usage(self, dialogue: Dialogue, fallback: Fallback | None) -> ModelUsage:
        told = dialogue.spent.model_dump()
        return ModelUsage(reasoner=self.name, fallback=fallback.value if fallback else None, **told)


def estimated(request: ChatRequest) -> int:
    """A pessimistic count of the request's input tokens: its messages, its tools and the schema of the answer."""
    texts = [
        *(m.text + "".join(c.id + c.name + c.arguments for c in m.calls) + m.call_id for m in request.messages),
        *(t.model_dump_json() for t in request.tools),
        str(request.answer_schema),
    ]
    return tokens_in("".join(texts)) + MESSAGE_TOKENS * len(texts)
