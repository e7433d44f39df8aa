"""What a chat model is to this room: one request, one reply. No SDK here; adapters/openai.py implements it."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.errors import Transient


class ModelSlow(Transient):
    """The model did not answer in time."""


class ModelRateLimited(Transient):
    """The model's provider said 429."""


class ToolSpec(BaseModel):
    """A read-only tool the model may ask for; `parameters` is a JSON schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    parameters: dict[str, object]


class ToolCall(BaseModel):
    """The model asks for a look. `arguments` is JSON text as the model wrote it: unchecked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    arguments: str


class Message(BaseModel):
    """One turn of the conversation. `role`: system, user, assistant, tool. `call_id` is set for tool answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


class ChatRequest(BaseModel):
    """One call. `answer_schema` is the JSON schema the final answer must follow; `timeout_s` in seconds.

    With `answer_now`, or with no tools, the model must answer; tools stay in the request even then, because they are part
    of the prefix that a provider keeps. `attempts`: the most requests the adapter may send for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    answer_schema: dict[str, object]
    max_output_tokens: int
    timeout_s: float
    attempts: int = 1
    answer_now: bool = False


class ChatReply(BaseModel):
    """What came back, unchecked. `finish` is the API's own word: stop, length, tool_calls, content_filter, ...

    `attempts` counts requests that reached the provider; token counts are 0 when it did not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    attempts: int = 1


class ChatModel(Protocol):
    """An OpenAI-compatible chat model, or a scripted one."""

    name: str

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask once. Raises ModelSlow, ModelRateLimited, another Transient, or Permanent."""
        ...
