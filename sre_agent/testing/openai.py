"""A scripted OpenAI-compatible endpoint on loopback: everything a model can do to us, on demand.

    with OpenAIStandIn([asks("look_again", {...}), answers({...})]) as server:
        chat = OpenAIChat(Endpoint(model="stand-in", api_key="k", base_url=server.base_url))

Replies are served in order; the last one is repeated for ever (an endless tool caller is one `asks`). A reply
may also be a function of the request body. It serves POST /v1/chat/completions and records every body.
"""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict


class Reply(BaseModel):
    """One scripted HTTP answer. `delay_s`: seconds before the first byte (cut short when the server stops).

    `sent`: how much of the body is sent before the connection is closed: 0.0 closes it without a word, 1.0 sends it all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    sent: float = 1.0


Script = Reply | Callable[[dict[str, Any]], Reply]


def says(text: str, finish: str = "stop", tokens: tuple[int, int] = (100, 20)) -> Reply:
    """Any text as the message's content: prose, or JSON cut short with finish="length"."""
    return _completion({"role": "assistant", "content": text}, finish, tokens)


def answers(answer: dict[str, Any], tokens: tuple[int, int] = (100, 20)) -> Reply:
    """A structured answer."""
    return says(json.dumps(answer), tokens=tokens)


def truncated(answer: dict[str, Any]) -> Reply:
    """A structured answer that stops in the middle, as at the token limit."""
    text = json.dumps(answer)
    return says(text[: len(text) // 2], finish="length")


def asks(tool: str, arguments: dict[str, Any] | str, call_id: str = "call_1", tokens: tuple[int, int] = (100, 20)) -> Reply:
    """A tool call; `arguments` as a string is sent as it is."""
    return asks_all([(tool, arguments, call_id)], tokens)


def asks_all(calls: Sequence[tuple[str, dict[str, Any] | str, str]], tokens: tuple[int, int] = (100, 20)) -> Reply:
    """Several tool calls in one reply: (tool, arguments, call id) each."""
    made = [
        {"id": id_, "type": "function", "function": {"name": tool, "arguments": a if isinstance(a, str) else json.dumps(a)}}
        for tool, a, id_ in calls
    ]
    return _completion({"role": "assistant", "content": None, "tool_calls": made}, "tool_calls", tokens)


def refuses(text: str = "I cannot help with that.") -> Reply:
    """A refusal in the API's own field."""
    return _completion({"role": "assistant", "content": None, "refusal": text}, "stop", (100, 5))


def fails(status: int, retry_after: str | None = None) -> Reply:
    """An HTTP error in the API's shape."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Reply(
        status=status, body=json.dumps({"error": {"message": "scripted", "type": "scripted", "code": None}}), headers=headers
    )


def breaks_off(reply: Reply, sent: float = 0.5) -> Reply:
    """The same reply, but the connection ends after that part of it: 0.0 is a reset before the first byte."""
    return reply.model_copy(update={"sent": sent})


def slowly(reply: Reply, seconds: float) -> Reply:
    """The same reply, late."""
    return reply.model_copy(update={"delay_s": seconds})


def _completion(message: dict[str, Any], finish: str, tokens: tuple[int, int]) -> Reply:
    body = {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": 0,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }
    return Reply(body=json.dumps(body))


REFUSED_KEY = "sk-refused-by-the-stand-in"
"""The one key that GET /v1/models does not accept."""


class OpenAIStandIn:
    """The server; use it as a context manager. `requests` are the bodies received, in order.

    `models` are what GET /v1/models lists; None: the server has no such list.
    """

    def __init__(self, script: Sequence[Script]) -> None:
        self._script = tuple(script)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.models: tuple[str, ...] | None = ("stand-in",)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL would be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "OpenAIStandIn":
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop serving; replies still waiting are dropped."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, body: dict[str, Any]) -> Reply:
        """Record `body` and take the next reply of the script."""
        with self._lock:
            self.requests.append(body)
            scripted = self._script[min(len(self.requests), len(self._script)) - 1]
        return scripted(body) if callable(scripted) else scripted

    def wait(self, seconds: float) -> bool:
        """False when the server was stopped meanwhile."""
        return not self._stopping.wait(seconds) if seconds else True


def _handler(stand_in: OpenAIStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The models there are; any key is accepted but those refused."""
            if self.path != "/v1/models" or stand_in.models is None:
                self._send(Reply(status=404, body='{"error":{"message":"no such path"}}'))
            elif self.headers.get("Authorization") == f"Bearer {REFUSED_KEY}":
                self._send(fails(401))
            else:
                rows = [{"id": name, "object": "model", "created": 0, "owned_by": "stand-in"} for name in stand_in.models]
                self._send(Reply(body=json.dumps({"object": "list", "data": rows})))

        def do_POST(self) -> None:
            """One scripted answer."""
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.path != "/v1/chat/completions":
                self._send(Reply(status=404, body='{"error":{"message":"no such path"}}'))
                return
            reply = stand_in.reply_to(json.loads(raw))
            if stand_in.wait(reply.delay_s):
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            payload = reply.body.encode()
            if reply.sent == 0.0:
                self.close_connection = True
                return
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload[: int(len(payload) * reply.sent)])
                self.close_connection = self.close_connection or reply.sent < 1.0
            except (BrokenPipeError, ConnectionResetError):
                return  # the caller gave up waiting, as scripted

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the requests are recorded, not printed."""

    return Handler
