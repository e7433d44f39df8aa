"""A stand-in mail server on loopback: it takes messages, remembers them, and refuses or falls silent when told.

    with SmtpStandIn() as mail:
        ... mail.url ...
        mail.letters[0].message["Subject"]

Source of the protocol: RFC 5321; AUTH PLAIN as in RFC 4616, STARTTLS as in RFC 3207.
"""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Letter:
    """One message that was taken: the envelope's two ends, and what was in it. `secured`: it came over TLS."""

    sender: str
    to: str
    message: EmailMessage
    secured: bool


@dataclass
class Mood:
    """How it misbehaves. `answers`: a verb ("MAIL", "RCPT", "DATA", "AUTH", "end" for the message's own) -> the answer instead.

    `dropping`: the verb at which the connection is closed without an answer; "end": the message is taken first.
    """

    answers: dict[str, str] = field(default_factory=dict)
    dropping: str = ""


class SmtpStandIn:
    """Start with `with`. `login`: the only (user, password), asked for before mail is taken. `tls` offers STARTTLS."""

    def __init__(self, login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.login, self.tls = login, tls
        self.letters: list[Letter] = []
        self.mood = Mood()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="smtp-stand-in", daemon=True)

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """As SRE_AGENT_SMTP_URL takes it."""
        user = "" if self.login is None else f"{self.login[0]}:{self.login[1]}@"
        return f"smtp{'+starttls' if self.tls else ''}://{user}localhost:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: SmtpStandIn) -> None:
        self.owner = owner
        super().__init__(address, _Conversation)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._plain = self.connection
        try:
            self._talk()
        finally:
            if self.connection is not self._plain:
                self.rfile.close()
                self.wfile.close()
                self.connection.close()

    def _talk(self) -> None:
        self._sender, self._to, self._known, self._secured = "", "", self.server.owner.login is None, False
        self._say("220 stand-in")
        for line in self._lines():
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            mood = self.server.owner.mood
            if verb == mood.dropping:
                return
            told = mood.answers.get(verb)
            if told is not None:
                self._say(told)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            elif not self._answer(verb, rest):
                return

    def _lines(self) -> Iterator[str]:
        while True:
            line = self.rfile.readline(65_536)
            if not line:
                return
            yield line.decode("utf-8", "replace").rstrip("\r\n")

    def _answer(self, verb: str, rest: str) -> bool:
        """False ends the conversation."""
        match verb:
            case "EHLO" | "HELO":
                offers = ["STARTTLS"] if self.server.owner.tls and not self._secured else []
                offers += ["AUTH PLAIN"] if self.server.owner.login else []
                lines = ["stand-in", *offers]
                self._say("\r\n".join(f"250{' ' if i == len(lines) - 1 else '-'}{each}" for i, each in enumerate(lines)))
            case "STARTTLS":
                self._say("220 go on")
                return self._secure()
            case "AUTH":
                given = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")[1:]
                self._known = self.server.owner.login == tuple(given)
                self._say("235 welcome" if self._known else "535 5.7.8 that is not the password")
            case "MAIL" if not self._known:
                self._say("530 5.7.0 authentication required")
            case "MAIL":
                self._sender = _path(rest)
                self._say("250 ok")
            case "RCPT":
                self._to = _path(rest)
                self._say("250 ok")
            case "DATA":
                self._say("354 go on")
                return self._take()
            case _:
                self._say("250 ok")
        return True

    def _take(self) -> bool:
        lines = []
        while (line := self.rfile.readline(1_000_000)) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        mood = self.server.owner.mood
        told = mood.answers.get("end", "250 taken")
        if told.startswith("250"):
            message = message_from_bytes(b"".join(lines), policy=default)
            self.server.owner.letters.append(Letter(self._sender, self._to, message, self._secured))
        if mood.dropping == "end":
            return False
        self._say(told)
        return True

    def _secure(self) -> bool:
        assert self.server.owner.tls is not None
        try:
            self.connection = self.server.owner.tls.wrap_socket(self.connection, server_side=True)
        except OSError:  # the client does not trust the certificate
            return False
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self._secured = True
        return True

    def _say(self, line: str) -> None:
        with suppress(OSError):
            self.wfile.write(line.encode() + b"\r\n")


def _path(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
