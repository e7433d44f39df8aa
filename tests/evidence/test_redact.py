import json
from datetime import UTC, datetime

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redact import redact, redact_evidence, redact_json

SECRETS = [
    ("redis://default:s3cr/et?#@cache:6379/0", "s3cr/et"),
    ("postgresql://app:p@ss@db:5432/x connect failed", "p@ss"),
    ("https://ci:tok-123@git.example.com/x", "tok-123"),
    ("DB_PASSWORD=hunter2 started", "hunter2"),
    ("batch pw=hunter2 idle", "hunter2"),
    ("userPw: hunter2", "hunter2"),
    ('{"apiKey": "abc 123", "n": 1}', "abc 123"),
    ('cut line password="two words', "two words"),
    ("--password hunter2 --host db", "hunter2"),
    ("requirepass hunter2", "hunter2"),
    ("Authorization: Bearer abc.def-123", "abc.def-123"),
    ("sent bearer 0123456789abcdef", "0123456789abcdef"),
    ("key sk-proj-abcdefghijklmnopqrstuvwx used", "abcdefghijklmnop"),
    ("aws AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIi"),
    ("slack xoxb-1234567890-abcdef", "xoxb-1234567890"),
    ("https://hooks.slack.com/services/T00/B00/abcdef", "T00/B00"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n", "MIIabc"),
    ("mail jane.doe+x@example.co.uk now", "jane.doe"),
    ("call +49 170 1234567 back", "1234567"),
    ("call (555) 123-4567 back", "123-4567"),
    ("ssn 078-05-1120", "078-05"),
    ("card 4111 1111 1111 1111", "4111"),
    ("GET /x?sig=abcdef&y=1", "abcdef"),
    ("Cookie: a=b; session=c", "session=c"),
    ("CREATE USER x IDENTIFIED BY 'hunter2'", "hunter2"),
]

KEPT = [
    "5e1f0c7a9b3d4e2f8a6b1c0d9e8f7a6b5c4d3e2f",
    "0b7a9c1e-3d4f-4a5b-8c6d-7e8f9a0b1c2d",
    "registry/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2026-03-04T03:11:09+00:00",
    "10.42.0.17:6379",
    "restarted 17 times in 300 s",
    "1772593869123",
    'secret "db-credentials" not found',
    "prompt intent-router went 42 -> 43",
    "exit code 137 (OOMKilled)",
    "https://grafana.example.com/d/abc?from=1772593869000",
    "api-7f9c5d8b6-x2k4q",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_every_recognised_secret_is_replaced_by_a_placeholder(text, secret):
    cleaned = redact(text)
    assert secret not in cleaned
    assert "[redacted:" in cleaned


@pytest.mark.parametrize("text", KEPT)
def test_identifiers_that_operations_need_are_kept(text):
    assert redact(text) == text


@pytest.mark.parametrize("text", [t for t, _ in SECRETS] + KEPT)
def test_redacting_twice_changes_nothing(text):
    assert redact(redact(text)) == redact(text)
    assert redact_json([text]) == redact_json(redact_json([text]))


def test_values_under_secret_keys_and_kubernetes_secrets_are_replaced_whole():
    pod = {
        "kind": "Pod",
        "metadata": {
            "name": "api",
            "uid": "u-1",
            "annotations": {"last": json.dumps({"env": [{"name": "API_TOKEN", "value": "x y"}]})},
        },
        "spec": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MODE", "value": "prod"}], "secretName": "db"},
    }
    cleaned = redact_json(pod)
    assert "hunter2" not in json.dumps(cleaned)
    assert "x y" not in json.dumps(cleaned)
    assert cleaned["spec"]["env"][1]["value"] == "prod"
    assert cleaned["spec"]["secretName"] == "db"
    assert redact_json({"kind": "Secret", "data": {"k": "djE="}})["data"] == {"k": "[redacted:value]"}
    assert redact_json({"password": "x", "token_count": 3, "enabled_token": True}) == {
        "password": "[redacted:value]",
        "token_count": 3,
        "enabled_token": True,
    }


def test_nesting_beyond_any_api_object_is_dropped_and_not_passed_through():
    deep: object = "password=hunter2"
    for _ in range(200):
        deep = [deep]
    assert "hunter2" not in json.dumps(redact_json(deep))


def test_all_text_of_an_evidence_is_redacted_and_its_identity_kept():
    now = datetime(2026, 3, 4, tzinfo=UTC)
    before = Evidence(
        id="e1",
        source="loki",
        kind=EvidenceKind.LOGS,
        query="token=abc",
        status=EvidenceStatus.OK,
        observed_at=now,
        payload={"lines": ["login jane@example.com"]},
        link="https://u:p@x/",
        error="secret=abc",
    )
    after = redact_evidence(before)
    assert after.id == "e1"
    assert after.observed_at == now
    assert not {"abc", "jane@", "u:p"} & {w for w in ("abc", "jane@", "u:p") if w in after.model_dump_json()}


def test_a_hostile_line_costs_linear_time():
    for unit in ("redis://", "a.", "-", 'password="', "+1", "@", "eyJ", "token:"):
        redact(unit * 20_000)
