"""Chat completions over any OpenAI-compatible endpoint. The only import of openai, made when first used.

One request is one answer: the SDK's own retries are off, and the few made here are bounded by the caller. What
the SDK raises is translated here and nowhere else. chat.completions rather than the newer APIs because every
compatible server (Azure, vLLM, llama.cpp, Ollama) speaks it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, SecretStr

from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError, Transient
from sre_agent.investigation.chat import ChatReply, ChatRequest, Message, ModelRateLimited, ModelSlow, ToolCall

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError

_log = logging.getLogger(__name__)
LONGEST_PAUSE_S = 5.0  # a provider that asks for more is treated as down: rules take over sooner than that
MOST_MODELS = 2_000
MOST_REPLY_CHARS = 200_000


class Endpoint(BaseModel):
    """Where and what to ask. `base_url` None: OpenAI itself. `structured` False: the server knows no json_schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    api_key: SecretStr
    base_url: str | None = None
    structured: bool = True


class OpenAIChat:
    """investigation.chat.ChatModel over an Endpoint. `sleep` waits between attempts, in seconds."""

    name = "openai"

    def __init__(self, endpoint: Endpoint, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._endpoint = endpoint
        self._sleep = sleep
        self._client: AsyncOpenAI | None = None

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask, at most `request.attempts` times. Raises ModelSlow, ModelRateLimited, Transient or Permanent."""
        attempt = 1
        while True:
            try:
                reply = await self._once(request)
            except Transient as error:
                pause = error.retry_after if error.retry_after is not None else 0.5 * 2**attempt
                if attempt >= request.attempts or isinstance(error, ModelSlow) or pause > LONGEST_PAUSE_S:
                    raise
                await self._sleep(pause)
                attempt += 1
            else:
                return reply.model_copy(update={"attempts": attempt})

    async def models(self, timeout_s: float) -> frozenset[str] | None:
        """The names that the endpoint lists, at most MOST_MODELS; None where it keeps no list. Raises as `complete`."""
        listed = await self._asked(lambda client: client.models.list(timeout=timeout_s))
        if listed is None:
            return None
        return frozenset(_text(getattr(m, "id", None))[:200] for m in (getattr(listed, "data", None) or ())[:MOST_MODELS])

    async def one_token(self, timeout_s: float) -> None:
        """The smallest call there is. Raises as `complete`."""
        limit = "max_completion_tokens" if self._endpoint.base_url is None else "max_tokens"
        body: dict[str, Any] = {"model": self._endpoint.model, "messages": [{"role": "user", "content": "ok"}], limit: 1}
        answer = await self._asked(lambda client: client.chat.completions.create(**body, timeout=timeout_s))
        if not getattr(answer, "choices", None):
            raise Permanent("the model endpoint answered a call without a choice; check OPENAI_BASE_URL")

    async def _asked(self, ask: "Callable[[AsyncOpenAI], Awaitable[Any]]") -> Any:
        """One request that is not part of an investigation; None for a 404 or 405 on a list."""
        if self._client is None:
            self._client = await asyncio.to_thread(self._connected)
        client = self._client
        import openai

        try:
            return await ask(client)
        except openai.NotFoundError:
            return None
        except openai.OpenAIError as error:
            raise _translated(error) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise Transient(f"the model endpoint answered something that is not its API ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the connections, if any were opened."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> "AsyncOpenAI":
        """The SDK's client, with all of it that a completion needs already imported."""
        import openai

        key = self._endpoint.api_key.get_secret_value() or "none"
        client = openai.AsyncOpenAI(api_key=key, base_url=self._endpoint.base_url, max_retries=0)
        _ = client.chat.completions
        return client

    async def _once(self, request: ChatRequest) -> ChatReply:
        if self._client is None:
            # Loading the SDK takes a second of CPU and webhooks wait on this event loop, so it is done in a thread.
            self._client = await asyncio.to_thread(self._connected)
        import openai

        try:
            answer = await self._client.chat.completions.create(**_body(request, self._endpoint), timeout=request.timeout_s)
        except openai.OpenAIError as error:
            translated = _translated(error)
            _log.warning("model_failed", extra={"reason": str(translated)})
            raise translated from None
        except (ValueError, TypeError, AttributeError) as error:
            # The SDK trusts the server's shapes: a body that is not JSON, or not an object, surfaces like this.
            raise Transient(f"the model endpoint answered something that is no chat completion ({type(error).__name__})") from None
        return _reply(answer)


def _body(request: ChatRequest, endpoint: Endpoint) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [_message(m) for m in request.messages],
        "max_completion_tokens" if endpoint.base_url is None else "max_tokens": request.max_output_tokens,
        "n": 1,
    }
    if endpoint.structured:
        schema = {"name": "answer", "strict": True, "schema": request.answer_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": t.parameters, "strict": True},
            }
            for t in request.tools
        ]
        body["tool_choice"] = "none" if request.answer_now else "auto"
    return body


def _message(message: Message) -> dict[str, Any]:
    """Built from our own fields only: what the SDK adds to a reply (parsed_arguments) is refused when sent back."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        out["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in message.calls
        ]
    return out


def _reply(answer: Any) -> ChatReply:
    """The reply as plain values. A completion without a choice is an empty reply, which the reasoner rejects."""
    choices = getattr(answer, "choices", None) or ()
    if not choices:
        return ChatReply()
    choice, usage = choices[0], getattr(answer, "usage", None)
    message = getattr(choice, "message", None)
    calls = [
        ToolCall(id=str(c.id), name=str(c.function.name), arguments=str(c.function.arguments)[:MOST_REPLY_CHARS])
        for c in getattr(message, "tool_calls", None) or ()
        if getattr(c, "function", None) is not None
    ]
    return ChatReply(
        text=_text(getattr(message, "content", None)),
        calls=tuple(calls),
        refusal=_text(getattr(message, "refusal", None)),
        finish=_text(getattr(choice, "finish_reason", None)),
        input_tokens=_count(getattr(usage, "prompt_tokens", 0)),
        output_tokens=_count(getattr(usage, "completion_tokens", 0)),
    )


def _text(value: object) -> str:
    return value[:MOST_REPLY_CHARS] if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _translated(error: "OpenAIError") -> SreAgentError:
    """The SDK's error in our tree. The provider's own text stays out: it may repeat the key or the prompt."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return ModelSlow("the model did not answer in time")
    if isinstance(error, openai.APIConnectionError):
        return Transient("the model endpoint could not be reached; check OPENAI_BASE_URL and the network")
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        if status == 429:
            return ModelRateLimited(
                "the model's provider answered 429", retry_after=_retry_after(error.response.headers.get("retry-after"))
            )
        if status in (408, 409) or status >= 500:
            return Transient(
                f"the model's provider answered {status}", retry_after=_retry_after(error.response.headers.get("retry-after"))
            )
        if status in (401, 403):
            return ConfigurationError(f"the model's provider answered {status}; check OPENAI_API_KEY")
        return Permanent(f"the model's provider answered {status}; check OPENAI_MODEL and OPENAI_BASE_URL")
    return Transient(f"the model's answer could not be read ({type(error).__name__})")


def _retry_after(header: str | None) -> float | None:
    """Seconds; the date form and nonsense are ignored (our own pause is used)."""
    try:
        seconds = float(header) if header is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 86_400 else None
