"""Signature vectors of the V3 door, and everything that must not pass it."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.intake.pagerduty import BadSignature, MissingSecret, verify_signature

S1 = "pd-whsec-one-0123456789abcdef"
S2 = "pd-whsec-two-fedcba9876543210"
B1 = (
    b'{"event":{"id":"01TESTPING000000000000001","event_type":"pagey.ping","resource_type":"pagey",'
    b'"occurred_at":"2026-11-23T09:00:00.000Z","agent":null,"client":null,'
    b'"data":{"message":"Hello from your friend Pagey!","type":"ping"}}}'
)
B2 = (
    '{"event":{"id":"01TESTTRIG000000000000002","event_type":"incident.triggered","resource_type":"incident",'
    '"occurred_at":"2026-11-23T09:00:01.000Z","agent":null,"client":null,"data":{"id":"Q1TESTINC000001","type":"incident",'
    '"number":4242,"status":"triggered","title":"RedisOOM prüfen — café 🔥","urgency":"high"}}}'
).encode()
S1_B1 = "v1=6540ac22e6285e0e987168e2f248c0283eb1c9b67deac79eed5ec59d2d583d1d"
S2_B1 = "v1=d8ee51023bc4c863ddb0fec3ee12f9545612b536dac87779512d27ae39c88726"
S1_B2 = "v1=624431fa0f044ef7ff6044ec06080fc27c33db784e1e515693b0d7cd22df6e3a"
S2_B2 = "v1=70913b752d189db5c84ccfb873155f93202977a598723dcee63dd6dc9ab8f26e"
S1_B2_NEWLINE = "v1=148b5725861dbdacf96ae9874cbb0caea42d9f4a0b3f47c71851f2b305ef7cfd"
S1_EMPTY = "v1=23f881ac39611d7a27847497bbf0422b177b542a2294f132f17fa82ef11f34d3"


def headers(signature: str, subscription: str = "PSUB001") -> dict[str, str]:
    return {"X-PagerDuty-Signature": signature, "X-Webhook-Subscription": subscription, "x-webhook-id": "one"}


def test_the_bodies_are_the_published_ones():
    assert (len(B1), len(B2)) == (227, 317)
    assert hashlib.sha256(B1).hexdigest() == "a78004e16c9d00e1a0c503ae7768c22703fa49a67c024179f8c4beaaea59ffe3"
    assert hashlib.sha256(B2).hexdigest() == "6f66767d099d8a9deb2bc06b8cf5dc34b618bd1c089550a28cb29f090755b429"


@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        (S1, B1, S1_B1),
        (S2, B1, S2_B1),
        (S1, B2, S1_B2),
        (S1, B2, f"{S2_B2},{S1_B2}"),
        (S1, B2, f" v0=aa , {S1_B2} "),
        (S1, B2, ",".join([S2_B2] * 9 + [S1_B2])),
    ],
)
def test_a_delivery_signed_with_the_secret_of_its_subscription_is_accepted(secret, body, signature):
    assert verify_signature(headers(signature), body, {"PSUB001": secret}) == "PSUB001"
    assert verify_signature(headers(signature, "POTHER1"), body, {"": secret}) == "POTHER1"


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (B2, S1_B2_NEWLINE),
        (B2 + b"\n", S1_B2),
        (b"", S1_EMPTY),
        (B1, S2_B1),
        (B2, S1_B2.upper()),
        (B2, "v1=" + S1_B2.removeprefix("v1=").upper()),
        (B2, S1_B2.replace("v1=", "v0=")),
        (B2, S1_B2.replace("v1=", "v2=")),
        (B2, S1_B2.removeprefix("v1=")),
        (B2, S1_B2[:-1]),
        (B2, "v1="),
        (B2, ""),
        (B2, ",,,,"),
        (B2, "v1=nothexatall"),
        (B2, "v1=\u00e9\u6f22\ud800"),
        (B2, ",".join([S2_B2] * 10 + [S1_B2])),
        (B2, S1_B2 + "," + " " * 5000),
    ],
)
def test_anything_else_is_a_bad_signature(body, signature):
    with pytest.raises(BadSignature):
        verify_signature(headers(signature), body, {"PSUB001": S1})


def test_a_missing_signature_header_is_a_bad_signature():
    with pytest.raises(BadSignature, match="no x-pagerduty-signature"):
        verify_signature({"x-webhook-subscription": "PSUB001"}, B2, {"PSUB001": S1})


def test_the_secret_of_another_subscription_does_not_open_this_one():
    with pytest.raises(BadSignature):
        verify_signature(headers(S2_B1, "PSUB001"), B1, {"PSUB001": S1, "PSUB002": S2})
    assert verify_signature(headers(S2_B1, "PSUB002"), B1, {"PSUB001": S1, "PSUB002": S2}) == "PSUB002"


def test_a_named_secret_is_not_replaced_by_the_unnamed_one():
    with pytest.raises(BadSignature):
        verify_signature(headers(S2_B1, "PSUB001"), B1, {"PSUB001": S1, "": S2})


@pytest.mark.parametrize("secrets", [{}, {"": ""}, {"PSUB001": "  "}, {"POTHER1": S1}])
def test_our_own_missing_secret_is_not_called_a_bad_signature(secrets):
    with pytest.raises(MissingSecret, match="PAGERDUTY_WEBHOOK_SECRET"):
        verify_signature(headers(S1_B1), B1, secrets)


def test_an_empty_secret_cannot_be_used_to_forge():
    forged = "v1=" + hmac.new(b"", B1, hashlib.sha256).hexdigest()
    with pytest.raises(MissingSecret):
        verify_signature(headers(forged), B1, {"PSUB001": ""})


def test_a_delivery_of_no_subscription_needs_the_unnamed_secret():
    nameless = {"x-pagerduty-signature": S1_B1}
    assert verify_signature(nameless, B1, {"": S1}) == ""
    with pytest.raises(BadSignature, match="x-webhook-subscription"):
        verify_signature(nameless, B1, {"PSUB001": S1})


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.text(max_size=60), st.text(max_size=200), st.binary(max_size=50))
def test_hostile_headers_raise_nothing_but_our_two_errors(subscription, signature, body):
    with pytest.raises((BadSignature, MissingSecret)):
        verify_signature(headers(signature, subscription), body, {"PSUB001": S1})
