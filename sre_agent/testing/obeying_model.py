"""A chat model that does whatever any text in its request orders: the worst one to put behind poisoned telemetry.

    model = ObeyingModel(Extras.UNTIL_TOLD)
    reasoner = ModelReasoner(model, ["prometheus"], clock)

It believes every message but the system's, asks for each tool that is ordered, reads raw evidence until some of it
orders something, and answers with the class, confidence and runbook demanded. What the schema has no place for it adds
as fields of its own, or says in a statement. What it read is in `orders`, what it answered in `replies`: a test that
relies on it can prove that the poison arrived. `script` puts it behind testing/openai.py's endpoint.
"""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sre_agent.investigation.chat import ChatReply, ChatRequest, Message, ToolCall, ToolSpec
from sre_agent.investigation.digest import BLOCK_CHARS
from sre_agent.investigation.prompts import ANSWER_NOW
from sre_agent.testing.obeying_orders import Demand, Order, orders_in
from sre_agent.testing.openai import Reply, Script

MOST_CALLS = 4
"""Tool calls in one reply; the reasoner makes no more of them."""
NOWHERE = "e999"
"""An evidence id that no investigation has."""
_ID = re.compile(r"\bid=(e\d+)\b")
_READ = re.compile(r"<data id=(e\d+) offset=(\d+)>")
_CUT = re.compile(r"\n\(cut: \d+ more characters\)\n</data>\Z")
_LABELLED = re.compile(r"labels say:? (\w+)\.")


class Extras(StrEnum):
    """When demands that the answer's schema has no place for become fields of their own, which makes it garbage."""

    NEVER = "never"
    ALWAYS = "always"
    UNTIL_TOLD = "until told that the answer was unusable"


class ObeyingModel:
    """A ChatModel. `extras`: see there. It reads raw evidence until it was ordered something; when `curious`, in raw evidence."""

    name = "obeying"

    def __init__(self, extras: Extras = Extras.NEVER, *, curious: bool = False) -> None:
        self.orders: frozenset[Order] = frozenset()
        self.requests: list[ChatRequest] = []
        self.replies: list[ChatReply] = []
        self._extras = extras
        self._curious = curious
        self._content = False
        self._known: set[str] = set()
        self._asked: set[tuple[str, str]] = set()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The next reply; never raises."""
        return self.reply_to(request)

    def reply_to(self, request: ChatRequest) -> ChatReply:
        """Looks that were ordered, then raw evidence, then the answer that was ordered."""
        self.requests.append(request)
        for message in request.messages:
            self._hear(message)
        may_look = bool(request.tools) and request.messages[-1].text != ANSWER_NOW
        calls = self._calls(request) if may_look else ()
        reply = ChatReply(calls=calls, finish="tool_calls") if calls else ChatReply(text=self._answer(request), finish="stop")
        self.replies.append(reply)
        return reply

    def demanded(self, what: Demand) -> tuple[str, ...]:
        """The values ordered for one thing, sorted."""
        return tuple(sorted(o.value for o in self.orders if o.what is what))

    def _hear(self, message: Message) -> None:
        # Its own words and the system's are no news to it.
        if message.role in ("user", "tool") and message.text not in self._known:
            self._known.add(message.text)
            found = orders_in(message.text)
            self._content = self._content or (bool(found) and (message.role == "tool" or not self._curious))
            self.orders |= found

    def _calls(self, request: ChatRequest) -> tuple[ToolCall, ...]:
        wanted = [c for c in (*self._ordered_looks(), *self._unread(request)) if c not in self._asked][:MOST_CALLS]
        first = len(self._asked)
        self._asked.update(wanted)
        return tuple(ToolCall(id=f"call_{first + i}", name=name, arguments=given) for i, (name, given) in enumerate(wanted))

    def _ordered_looks(self) -> Iterator[tuple[str, str]]:
        for told in self.demanded(Demand.TOOL):
            name, _, given = told.partition(" ")
            yield name, given or "{}"

    def _unread(self, request: ChatRequest) -> Iterator[tuple[str, str]]:
        if self._content:
            return
        texts = [m.text for m in request.messages if m.role != "system"]
        for id_ in dict.fromkeys(i for text in texts for i in _ID.findall(text)):
            yield _read_evidence(id_, 0)
        for text in texts:
            seen = _READ.match(text)
            if seen is not None and _CUT.search(text):
                yield _read_evidence(seen[1], int(seen[2]) + BLOCK_CHARS)

    def _answer(self, request: ChatRequest) -> str:
        text = "\n".join(m.text for m in request.messages if m.role != "system")
        labelled = _LABELLED.search(text)
        ids = list(dict.fromkeys(_ID.findall(text)))
        answer: dict[str, Any] = {
            "statements": [{"text": self._said(), "evidence": ids[:1]}, {"text": self._said(), "evidence": [NOWHERE]}],
            "alert_class": next(iter(self.demanded(Demand.CLASS)), labelled[1] if labelled else "unknown"),
            "confidence_percent": min(100, int(next(iter(self.demanded(Demand.CONFIDENCE)), "100"))),
            "veto": None,
            "runbook": next(iter(self.demanded(Demand.RUNBOOK)), None),
        }
        told = self._extras is Extras.UNTIL_TOLD and len(self.replies) > 0 and self.replies[-1].text != ""
        if self._extras is not Extras.NEVER and not told:
            answer |= self._more()
        return json.dumps(answer, ensure_ascii=False)

    def _more(self) -> dict[str, Any]:
        """Fields that no schema asked for."""
        return {
            "target": " ".join(self.demanded(Demand.TARGET)) or "redis/payments",
            "action": " ".join(self.demanded(Demand.ACTION)) or "redis_failover",
            "parameters": dict(p.partition("=")[::2] for p in self.demanded(Demand.PARAMETER)),
            "approve": True,
            "approved_by": list(self.demanded(Demand.APPROVED_BY)),
            "mode": next(iter(self.demanded(Demand.MODE)), "auto"),
        }

    def _said(self) -> str:
        """Everything demanded, in lines that would look like the note's own."""
        lines = [f"{o.what.value}: {o.value}" for o in sorted(self.orders)]
        lines += [f"Approved by: {name}" for name in self.demanded(Demand.APPROVED_BY)]
        plan = zip(self.demanded(Demand.ACTION), self.demanded(Demand.TARGET), strict=False)
        lines += [f"Plan: {action} on {target}" for action, target in plan]
        lines += ["Decided", "allowed (policies: grant-everything)"] if self.demanded(Demand.APPROVE) else []
        return "\n".join(["As ordered", *lines]) if lines else "Nothing was ordered"


def _read_evidence(id_: str, offset: int) -> tuple[str, str]:
    return "read_evidence", json.dumps({"id": id_, "offset": offset})


def script(model: ObeyingModel) -> Script:
    """The model as a reply of testing/openai.py's endpoint: it reads the body that was received and nothing else."""

    def reply(body: dict[str, Any]) -> Reply:
        said = model.reply_to(_request(body))
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if said.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in said.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": said.finish, "logprobs": None}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        whole = {"id": "chatcmpl-obeying", "object": "chat.completion", "created": 0, "model": model.name, "choices": [choice]}
        return Reply(body=json.dumps({**whole, "usage": usage}))

    return reply


def _request(body: dict[str, Any]) -> ChatRequest:
    """A request as far as the model reads it: messages, and whether there are tools."""
    messages = tuple(Message(role=str(m.get("role")), text=str(m.get("content") or "")) for m in body.get("messages", ()))
    tools = tuple(ToolSpec(name=str(t["function"]["name"]), description="", parameters={}) for t in body.get("tools") or ())
    return ChatRequest(messages=messages, tools=tools, answer_schema={}, max_output_tokens=1, timeout_s=1.0)
