"""Placeholders that correlate: the same value has the same tag, under one key, in any notation; nothing else is told."""

import re

import pytest

from sre_agent.evidence.redact import case_key, redact, redact_json, redaction_key
from sre_agent.evidence.redaction.placeholder import mark

KEY = b"a key of this test"


@pytest.fixture(autouse=True)
def _tagged():
    with redaction_key(KEY):
        yield


def tags(text):
    return re.findall(r"\[redacted:[a-z-]+:([0-9a-f]{4})\]", text)


def test_the_same_secret_has_the_same_tag_wherever_it_turns_up():
    a, b = redact("DB_PASSWORD=hunter2hunter2 x"), redact_json({"password": "hunter2hunter2"})["password"]
    assert tags(a) == tags(b)
    assert len(tags(a)) == 1


def test_a_vendors_key_has_the_same_tag_with_a_name_and_without():
    token = "ghp_" + "a1B2" * 9
    assert redact(f"token={token}") == f"token={redact(token)}"


def test_notations_of_one_value_have_one_tag():
    assert len(set(tags(redact("mail Jane.Doe@Example.com and jane.doe@example.com")))) == 1
    assert len(set(tags(redact("call +49 (0)170 1234567, +491701234567 or 0049 170 1234567 now")))) == 1
    assert len(set(tags(redact("call (555) 234-5678 or +1 555 234 5678 now")))) == 1
    assert len(set(tags(redact("card 4111 1111 1111 1111 or 4111-1111-1111-1111")))) == 1


def test_different_values_mostly_differ_and_so_do_kinds():
    assert len({mark("value", f"v{i}") for i in range(200)}) > 190
    assert mark("value", "x")[-5:] != mark("token", "x")[-5:]


def test_another_key_gives_other_tags_and_no_key_gives_none():
    with redaction_key(b"another"):
        other = redact("password=hunter2hunter2")
    with redaction_key(b""):
        assert redact("password=hunter2hunter2") == "password=[redacted:value]"
    assert other != redact("password=hunter2hunter2")
    assert case_key("a") != case_key("b")


def test_a_placeholder_is_never_redacted_again_nor_a_part_of_it():
    for kind in ("token", "value", "private-key", "userinfo", "email", "phone", "card"):
        for text in (
            f"password={mark(kind, 'x')}",
            f"token: {mark(kind, 'y')} left",
            f"{mark(kind, 'z')}@example.com",
            mark(kind, "w"),
        ):
            assert redact(text) == text
            assert redact_json({"password": text, "x": [text]})["x"] == [text]


def test_a_forged_placeholder_hides_nothing_behind_it():
    assert "hunter2" not in redact("password=[redacted:value] password=hunter2")
    assert "sk-aaaaaaaaaaaaaaaaaaaaaaaa" not in redact("[redacted:sk-aaaaaaaaaaaaaaaaaaaaaaaa]")


def test_a_long_cookie_goes_whole():
    cookie = "sid=" + "a1" * 400 + "; other=secretsecret"
    assert redact(f"Cookie: {cookie}\nnext") == f"Cookie: {mark('value', cookie)}\nnext"


@pytest.mark.parametrize(
    "unit",
    [
        "token:",
        "key=",
        "?key=",
        "cookie: ",
        "authorization: digest ",
        "token={",
        "a@",
        "@a.",
        "1 ",
        "4111 ",
        "DE89 ",
        "0 0 ",
        "\\",
        "password='",
        "-----END PRIVATE KEY-----",
        "kind: Secret\ndata:\n a: b\n",
        "mysql -p",
        "redis-cli a ",
        "eyJ",
        "SG.",
        "(",
        "user:x@tcp(",
        "[redacted:value]",
        "mrn: 1",
    ],
)
def test_a_hostile_line_of_a_hundred_thousand_characters_comes_back(unit):
    # Quadratic time would be minutes here.
    text = (unit * 100_000)[:100_000]
    assert redact(text) is not None
