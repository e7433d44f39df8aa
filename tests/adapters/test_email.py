"""Mail by SMTP: what is sent, what each answer means, and that nothing is sent twice or in clear."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sre_agent.adapters.email import SmtpMailer, server_of
from sre_agent.handback.pager import Mail
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.testing.smtp import SmtpStandIn

SECRET = "AKIAIOSFODNN7EXAMPLE"
MAIL = Mail(receiver="pd-ai-eng", subject="Intent accuracy fell", text="It fell by 4 %.\n.\nBye", message_id="inc-1@sre.test")
EMAILS = {"pd-ai-eng": "AI engineering <ai@corp.test>", "two": "a@corp.test, b@corp.test", "none": "not an address"}


@pytest.fixture
def server() -> Iterator[SmtpStandIn]:
    with SmtpStandIn() as standing:
        yield standing


def mailer(server: SmtpStandIn, sender: str = "SRE agent <sre@corp.test>", timeout_s: float = 5.0) -> SmtpMailer:
    return SmtpMailer(server_of(server.url), sender, EMAILS, timeout_s)


async def test_a_mail_arrives_as_plain_text_that_no_machine_should_answer(server: SmtpStandIn):
    await mailer(server).mail(MAIL)
    (letter,) = server.letters
    assert (letter.sender, letter.to) == ("sre@corp.test", "ai@corp.test")
    told = {name: letter.message[name] for name in ("From", "To", "Subject", "Message-ID", "Auto-Submitted")}
    assert told == {
        "From": "SRE agent <sre@corp.test>",
        "To": "AI engineering <ai@corp.test>",
        "Subject": "Intent accuracy fell",
        "Message-ID": "<inc-1@sre.test>",
        "Auto-Submitted": "auto-generated",
    }
    assert letter.message.get_content_type() == "text/plain"
    assert letter.message.get_content().splitlines() == ["It fell by 4 %.", ".", "Bye"]
    assert letter.message["Date"]


async def test_what_others_wrote_becomes_no_header_and_no_envelope(server: SmtpStandIn):
    subject = "Redis\r\nBcc: everybody@corp.test\r\n\r\nhello\x00\ud800 ü" + "x" * 500
    await mailer(server).mail(MAIL.model_copy(update={"subject": subject, "message_id": "a>\r\nBcc: b@corp.test"}))
    (letter,) = server.letters
    assert letter.message["Bcc"] is None
    assert letter.message["Subject"].startswith("Redis Bcc: [redacted:email] hello")
    assert len(letter.message["Subject"]) <= 200
    assert letter.message["Message-ID"].endswith("@corp.test>")


HIDDEN = [
    "=?utf-8?b?Zm9vDQpCY2M6IGV2aWxAeC50ZXN0DQpYLVNlZW46IDE=?=",  # "foo CR LF Bcc: ... CR LF X-Seen: 1"
    "=?utf-8?q?a=0D=0ABcc:_evil?=",
    "up =?us-ascii?q?=0AX-Seen=3A_1?= up",
    "=?=?utf-8?q?=0AX-Seen=3A_1?=",
]


@pytest.mark.parametrize("subject", HIDDEN)
async def test_an_encoded_word_in_a_subject_is_shown_as_it_came_and_begins_no_header(server: SmtpStandIn, subject: str):
    await mailer(server).mail(MAIL.model_copy(update={"subject": subject}))
    (letter,) = server.letters
    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"}
    assert set(letter.message.keys()) - {"Content-Type", "Content-Transfer-Encoding"} == expected
    assert letter.message["Subject"].replace(" ", "") == subject.replace(" ", "")
    assert letter.message.get_content().startswith("It fell by 4 %.")


async def test_the_same_mail_has_the_same_id_however_strange(server: SmtpStandIn):
    strange = MAIL.model_copy(update={"message_id": "group/[alertname=Ü]"})
    await mailer(server).mail(strange)
    await mailer(server).mail(strange)
    assert len({letter.message["Message-ID"] for letter in server.letters}) == 1


async def test_secrets_never_leave_with_a_mail(server: SmtpStandIn):
    await mailer(server).mail(MAIL.model_copy(update={"subject": f"key {SECRET}", "text": f"key {SECRET}"}))
    (letter,) = server.letters
    assert SECRET not in letter.message["Subject"] + letter.message.get_content()


@pytest.mark.parametrize(
    ("receiver", "said"), [("pd-platform", r"routing\.yaml"), ("two", "emails.two"), ("none", "emails.none"), ("", "emails")]
)
async def test_a_receiver_without_one_address_is_told_with_where_to_write_it(server: SmtpStandIn, receiver: str, said: str):
    with pytest.raises(ConfigurationError, match=said):
        await mailer(server).mail(MAIL.model_copy(update={"receiver": receiver}))
    assert server.letters == []


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "end"])
async def test_an_answer_of_4xx_passes_and_one_of_5xx_stays(server: SmtpStandIn, verb: str):
    if verb == "EHLO":
        server.mood.answers = {"EHLO": "421 4.3.2 later", "HELO": "421 4.3.2 later"}
    else:
        server.mood.answers = {verb: "450 4.2.1 later"}
    with pytest.raises(Transient, match="later") as told:
        await mailer(server).mail(MAIL)
    assert not isinstance(told.value, OutcomeUnknown)
    server.mood.answers = dict.fromkeys(server.mood.answers, "550 5.1.1 never")
    with pytest.raises(Permanent, match=r"550 5\.1\.1 never"):
        await mailer(server).mail(MAIL)
    assert server.letters == []


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_that_is_lost_before_the_message_is_worth_another_try(server: SmtpStandIn, verb: str):
    server.mood.dropping = verb
    with pytest.raises(Transient, match="not sent") as told:
        await mailer(server).mail(MAIL)
    assert not isinstance(told.value, OutcomeUnknown)


async def test_a_connection_that_is_lost_after_the_message_leaves_the_outcome_unknown(server: SmtpStandIn):
    server.mood.dropping = "end"
    with pytest.raises(OutcomeUnknown, match="no answer came"):
        await mailer(server).mail(MAIL)
    assert len(server.letters) == 1


async def test_an_answer_after_the_message_that_nobody_can_read_leaves_the_outcome_unknown(server: SmtpStandIn):
    server.mood.answers = {"end": "what?"}
    with pytest.raises(OutcomeUnknown, match="no answer of a mail server"):
        await mailer(server).mail(MAIL)


async def test_a_server_that_takes_the_mail_and_then_goes_has_taken_it(server: SmtpStandIn):
    server.mood.dropping = "QUIT"
    await mailer(server).mail(MAIL)
    assert len(server.letters) == 1


async def test_nobody_there_and_a_server_that_never_speaks_are_transient():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        silent = SmtpMailer(server_of(f"smtp://127.0.0.1:{port}"), "sre@corp.test", EMAILS, 0.2)
        with pytest.raises(Transient):
            await silent.mail(MAIL)
    with pytest.raises(Transient):
        await silent.mail(MAIL)


async def test_the_password_is_the_settings_fault_when_it_is_not_taken():
    with SmtpStandIn(login=("agent", "s3cr3t")) as server:
        await mailer(server).mail(MAIL)
        assert len(server.letters) == 1
        wrong = server_of(server.url.replace("s3cr3t", "other"))
        with pytest.raises(ConfigurationError, match="SRE_AGENT_SMTP_URL") as told:
            await SmtpMailer(wrong, "sre@corp.test", EMAILS).mail(MAIL)
        assert "other" not in str(told.value) + repr(wrong)
        server.mood.answers = {"AUTH": "454 4.7.0 try later"}
        with pytest.raises(Transient, match="try later"):
            await mailer(server).mail(MAIL)
        server.mood.answers = {}
        nobody = server_of(f"smtp://localhost:{server.port}")
        with pytest.raises(ConfigurationError, match="530"):
            await SmtpMailer(nobody, "sre@corp.test", EMAILS).mail(MAIL)


async def test_looking_signs_in_and_sends_nothing():
    with SmtpStandIn(login=("agent", "s3cr3t")) as server:
        await mailer(server).look()
        server.login = ("agent", "changed")
        with pytest.raises(ConfigurationError):
            await SmtpMailer(server_of(server.url.replace("changed", "s3cr3t")), "sre@corp.test", EMAILS).look()
        assert server.letters == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.test",
        "http://mail.test",
        "smtp://",
        "smtps://:465",
        "smtp://u:hush@mail.test",
        "smtps://u:hush@m.test:x",
        "smtp://[",
    ],
)
def test_an_address_that_is_none_or_in_clear_is_refused_and_not_shown(url: str):
    with pytest.raises(ConfigurationError, match="SRE_AGENT_SMTP_URL") as told:
        server_of(url)
    assert "hush" not in str(told.value)


def test_user_and_password_may_hold_any_character():
    server = server_of("smtps://sre%40corp.test:p%3Aw%2F@mail.test")
    assert (server.user, server.password, server.port) == ("sre@corp.test", "p:w/", 465)


@pytest.mark.parametrize("sender", ["", "nobody", "a@b.test, c@d.test", "a@b.test\nBcc: x@y.test", "ü@corp.test"])
def test_a_sender_that_is_no_address_is_refused_at_the_start(sender: str):
    with pytest.raises(ConfigurationError, match="SRE_AGENT_MAIL_FROM"):
        SmtpMailer(server_of("smtp://mail.test"), sender, EMAILS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of "localhost", signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    kept = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(kept + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_starttls_secures_the_password_and_a_stranger_is_not_trusted(certificate: Path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with SmtpStandIn(login=("agent", "s3cr3t"), tls=tls) as server:
        trusting = ssl.create_default_context(cafile=str(certificate))
        await SmtpMailer(server_of(server.url), "sre@corp.test", EMAILS, tls=trusting).mail(MAIL)
        assert [letter.secured for letter in server.letters] == [True]
        with pytest.raises(ConfigurationError, match="certificate"):
            await mailer(server).mail(MAIL)
        assert len(server.letters) == 1


async def test_a_server_without_starttls_gets_nothing(server: SmtpStandIn):
    wanted = server_of(f"smtp+starttls://agent:s3cr3t@localhost:{server.port}")
    with pytest.raises(ConfigurationError, match="STARTTLS"):
        await SmtpMailer(wanted, "sre@corp.test", EMAILS).mail(MAIL)
    assert server.letters == []
