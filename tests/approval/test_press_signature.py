"""Only Slack's own requests pass, whatever a stranger sends."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.approval.press_signature import BadPressSignature, verify_press
from sre_agent.incident.errors import ConfigurationError

SECRET = "5laCk-5igning-5ecret-f00dface"
STAMP = b"1795420800"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
COMMAND = b"token=legacy&team_id=T0001&command=%2Fsre&text=status"
COMMAND_SIGNATURE = b"v0=fc651175ac0ddf59d907d6ae2cf68fd5bce1464387b7285472184e89eb5f48a6"
PRESS = (
    b"payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U0APPROVER%22%7D%2C%22team%22%3A%7B%22id%22%3A%22"
    b"T0001%22%7D%2C%22channel%22%3A%7B%22id%22%3A%22C0INC%22%7D%2C%22message%22%3A%7B%22ts%22%3A%221795420790.000100%22%7D%2C%22"
    b"actions%22%3A%5B%7B%22action_id%22%3A%22sre_approve%22%2C%22block_id%22%3A%22sre_ask%22%2C%22value%22%3A%22ask_01TEST%22%2C"
    b"%22type%22%3A%22button%22%7D%5D%7D"
)
PRESS_SIGNATURE = b"v0=ff8b15dd021275dbff00e8d27d3496fd24d855c8fca690fd45204829824e4e44"


def headers(stamp: bytes = STAMP, signature: bytes = PRESS_SIGNATURE) -> list[tuple[bytes, bytes]]:
    return [(b"x-slack-request-timestamp", stamp), (b"x-slack-signature", signature)]


def signed(stamp: bytes, body: bytes = PRESS) -> list[tuple[bytes, bytes]]:
    made = hmac.new(SECRET.encode(), b"v0:" + stamp + b":" + body, hashlib.sha256).hexdigest()
    return headers(stamp, f"v0={made}".encode())


def test_the_published_vectors_verify():
    assert (len(COMMAND), hashlib.sha256(COMMAND).hexdigest()[:16]) == (53, "9084f31ff012168e")
    assert (len(PRESS), hashlib.sha256(PRESS).hexdigest()[:16]) == (405, "c4784481c3e62fe8")
    verify_press(headers(signature=COMMAND_SIGNATURE), COMMAND, SECRET, NOW)
    verify_press(headers(), PRESS, SECRET, NOW)


@pytest.mark.parametrize(("now", "fresh"), [(1795421100, True), (1795421101, False), (1795420500, True), (1795420499, False)])
def test_a_request_is_good_for_five_minutes_either_way(now, fresh):
    at = datetime.fromtimestamp(now, UTC)
    if fresh:
        verify_press(headers(), PRESS, SECRET, at)
    else:
        with pytest.raises(BadPressSignature, match="300 s"):
            verify_press(headers(), PRESS, SECRET, at)


@pytest.mark.parametrize(
    "stamp",
    [
        b"abc",
        b"1.5",
        b" 1795420800",
        b"1795420800\n",
        "１７９５４２０８００".encode(),
        b"-1795420800",
        b"1" * 30,
        b"",
        b"+1795420800",
        b"0x1",
    ],
)
def test_a_timestamp_that_is_no_number_is_refused_even_when_it_is_signed(stamp):
    with pytest.raises(BadPressSignature, match="timestamp"):
        verify_press(signed(stamp), PRESS, SECRET, NOW)


@pytest.mark.parametrize(
    "signature",
    [b"", b"v0=", PRESS_SIGNATURE.upper(), PRESS_SIGNATURE[3:], b"v1" + PRESS_SIGNATURE[2:], PRESS_SIGNATURE + b" ", b"v0=\xff\xfe",
     COMMAND_SIGNATURE],
)  # fmt: skip
def test_any_other_signature_is_refused(signature):
    with pytest.raises(BadPressSignature):
        verify_press(headers(signature=signature), PRESS, SECRET, NOW)


@pytest.mark.parametrize("body", [b"", PRESS + b"\n", PRESS.replace(b"U0APPROVER", b"U0MALLORY0"), b"\xff\xfe"])
def test_any_other_body_is_refused(body):
    with pytest.raises(BadPressSignature):
        verify_press(headers(), body, SECRET, NOW)


@pytest.mark.parametrize("sent", [[], headers()[:1], headers()[1:], [*headers(), headers()[0]], [*headers(), headers()[1]]])
def test_each_header_is_there_once(sent):
    with pytest.raises(BadPressSignature, match="headers instead of one"):
        verify_press(sent, PRESS, SECRET, NOW)


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_secret_is_no_secret_even_for_who_signs_with_it(secret):
    made = hmac.new(secret.encode(), b"v0:" + STAMP + b":" + PRESS, hashlib.sha256).hexdigest()
    with pytest.raises(ConfigurationError, match="SLACK_SIGNING_SECRET"):
        verify_press(headers(signature=f"v0={made}".encode()), PRESS, secret, NOW)


@given(stamp=st.binary(max_size=40), signature=st.binary(max_size=100), body=st.binary(max_size=200), away=st.integers(-400, 400))
def test_whatever_is_sent_is_refused_and_nothing_else_is_raised(stamp, signature, body, away):
    with pytest.raises(BadPressSignature):
        verify_press(headers(stamp, signature), body, SECRET, NOW + timedelta(seconds=away))


@given(body=st.binary(max_size=200), away=st.integers(-300, 300))
def test_whatever_is_signed_in_time_passes(body, away):
    verify_press(signed(STAMP, body), body, SECRET, NOW + timedelta(seconds=away))
