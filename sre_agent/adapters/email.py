"""E-mail for what wakes nobody: one plain-text message by SMTP, in a thread, over one connection.

Law: nothing is sent twice. Until the message itself is on its way a failure is Transient; a connection that is lost after that
leaves the outcome unknown. The Message-ID stays the same, so that a mail server or a reader recognises what comes again.
Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 5322 (messages), RFC 3834 (Auto-Submitted).
"""

import asyncio
import re
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from hashlib import sha256
from typing import Final
from urllib.parse import unquote, urlsplit

from sre_agent.evidence.redact import redact
from sre_agent.handback.pager import Mail
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import storable

TIMEOUT_S: Final = 10.0
"""Seconds for each step of the conversation."""
LONGEST_SUBJECT: Final = 200
LONGEST_TEXT: Final = 200_000

_PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,120}@[A-Za-z0-9.-]{1,120}")
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_FORMAT: Final = "smtps://user:password@host:465, smtp+starttls://user:password@host:587 or smtp://host:25"


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. `scheme`: smtp (in clear), smtps, or smtp+starttls."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


def server_of(url: str) -> MailServer:
    """The server of SRE_AGENT_SMTP_URL. Raises ConfigurationError, which never shows the address: it may hold a password."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(f"SRE_AGENT_SMTP_URL is no address like {_FORMAT}") from None
    if parts.scheme not in _PORTS or not host:
        raise ConfigurationError(f"SRE_AGENT_SMTP_URL is no address like {_FORMAT}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and parts.scheme == "smtp" and host not in _LOOPBACK:
        raise ConfigurationError("SRE_AGENT_SMTP_URL would send the password in clear: use smtps:// or smtp+starttls://")
    return MailServer(parts.scheme, host, port or _PORTS[parts.scheme], user, password)


class SmtpMailer:
    """The half of handback.pager.Pager that mails. `addresses`: receiver -> address; `sender`: whose name stands on mails.

    `tls` None: the machine's own trust store. Raises ConfigurationError (no address, an address that is none, the password or the
    certificate is not accepted), Transient (4xx, no connection), Permanent (5xx), and OutcomeUnknown.
    """

    def __init__(
        self,
        server: MailServer,
        sender: str,
        addresses: Mapping[str, str],
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server, self._addresses, self._timeout_s, self._tls = server, dict(addresses), timeout_s, tls
        self._sender = _address(sender, "SRE_AGENT_MAIL_FROM")

    async def mail(self, mail: Mail) -> None:
        """See handback.pager.Pager."""
        given = self._addresses.get(mail.receiver, "").strip()
        if not given:
            raise ConfigurationError(f"receiver {mail.receiver!r} has no address: add it under `emails` in routing.yaml")
        to = _address(given, f"routing.yaml, emails.{mail.receiver}")
        await asyncio.to_thread(self._deliver, _message(mail, self._sender, to), to)

    async def look(self) -> None:
        """Greet the server and sign in, and send nothing. Raises as `mail`."""
        await asyncio.to_thread(self._deliver, None, self._sender)

    def _deliver(self, message: bytes | None, to: Address) -> None:
        """The whole conversation; without a message only its beginning."""
        where = f"mail to {self._server.host}:{self._server.port}"
        try:
            smtp = self._connect()
            try:
                self._greet(smtp)
                if message is not None:
                    self._hand_in(smtp, message, to, where)
                with suppress(OSError, smtplib.SMTPException):  # it was taken: what the farewell brings changes nothing
                    smtp.docmd("QUIT")
            finally:
                smtp.close()
        except smtplib.SMTPResponseException as refused:
            raise _refused(where, refused) from refused
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as unfit:
            raise ConfigurationError(f"{where}: {_said(str(unfit))}; check SRE_AGENT_SMTP_URL") from unfit
        except (OSError, smtplib.SMTPException) as lost:
            raise Transient(f"{where}: not sent ({type(lost).__name__})") from lost

    def _hand_in(self, smtp: smtplib.SMTP, message: bytes, to: Address, where: str) -> None:
        for verb, path in (("MAIL FROM", self._sender), ("RCPT TO", to)):
            _expect(smtp.docmd(f"{verb}:<{path.addr_spec}>"), 250)
        _expect(smtp.docmd("DATA"), 354)
        try:
            smtp.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
            reply = smtp.getreply()
        except (OSError, smtplib.SMTPException) as lost:
            raise OutcomeUnknown(f"{where}: sent, no answer came ({type(lost).__name__})") from lost
        if reply[0] < 0:
            raise OutcomeUnknown(f"{where}: sent, and what came back is no answer of a mail server")
        _expect(reply, 250)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        name = self._sender.domain
        if server.scheme == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, name, timeout=self._timeout_s, context=self._context())
        return smtplib.SMTP(server.host, server.port, name, timeout=self._timeout_s)

    def _greet(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if self._server.scheme == "smtp+starttls":
            smtp.starttls(context=self._context())
            smtp.ehlo_or_helo_if_needed()
        if self._server.user:
            smtp.login(self._server.user, self._server.password)

    def _context(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code and not (code == 250 and reply[0] in (251, 252)):
        raise smtplib.SMTPResponseException(*reply)


def _refused(where: str, refused: smtplib.SMTPResponseException) -> SreAgentError:
    """What an answer with a code means (RFC 5321, 4.2.1)."""
    raw = refused.smtp_error
    what = f"{where}: {refused.smtp_code} {_said(raw.decode('utf-8', 'replace') if isinstance(raw, bytes) else str(raw))}"
    if 400 <= refused.smtp_code < 500 or refused.smtp_code < 0:
        return Transient(what)
    if isinstance(refused, smtplib.SMTPAuthenticationError) or refused.smtp_code == 530:
        return ConfigurationError(f"{what}; check the user and password of SRE_AGENT_SMTP_URL")
    return Permanent(what)


def _said(text: str) -> str:
    return redact(_BLANK.sub(" ", text).strip()[:200])


def _address(given: str, where: str) -> Address:
    """One address, with or without a name. Raises ConfigurationError."""
    try:
        parsed = EmailMessage(policy=SMTP)
        parsed["To"] = given
        (found,) = parsed["To"].addresses
        if parsed["To"].defects or not found.username or not found.domain or not found.addr_spec.isascii():
            raise ValueError
    except (ValueError, IndexError, MessageError, HeaderParseError):
        raise ConfigurationError(f"{where} is not one e-mail address: {given!r}") from None
    assert isinstance(found, Address)
    return found


def _message(mail: Mail, sender: Address, to: Address) -> bytes:
    """The message as sent: redacted, 7-bit, lines ending in CR LF. What others wrote cannot become a header."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"], message["To"] = sender, to
    message["Subject"] = _subject(mail.subject)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{_message_id(mail.message_id, sender.domain)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(storable(redact(mail.text))[:LONGEST_TEXT])
    return message.as_bytes()


def _subject(given: str) -> str:
    """One line. SAFETY: an encoded word (RFC 2047) is decoded by the library when it is set: its line breaks would begin headers,
    and what it hides was not seen by redaction. So none is left.
    """
    return _BLANK.sub(" ", storable(redact(given))).replace("=?", "= ?").strip()[:LONGEST_SUBJECT]


def _message_id(given: str, domain: str) -> str:
    return given if _ID.fullmatch(given) else f"{sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}@{domain}"
