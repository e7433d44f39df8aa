"""Single cases: what stands in place of a secret stays, what only looks like a secret stays, ends are found."""

import pytest

from sre_agent.evidence.redact import redact, redact_json
from sre_agent.evidence.redaction.value import value_at

STAYS = [
    "DB_PASSWORD: <set to the key 'password' in secret 'db'> Optional: false",
    "password=${DB_PASSWORD} token=$(TOKEN) secret={{ .Values.secret }}",
    'FATAL: password authentication failed for user "app"',
    "invalid token: expected }",
    "tests pass: 12 fail: 0",
    "cpw=12345 and gpw: abcdef1",
    "max_tokens=4096 next_page_token=abcdef123456",
    "secret: /run/secrets/db",
    "rabbit@rabbit-0.rabbitmq.svc.cluster.local and getty@tty1.service",
    "git@github.com:acme/api.git lodash@4.17.21",
    "span_id=a4111111111111111c order 1234567812345678",
    "cache_key=Ab3dEf6hIj9kLmN0pQr5 routing_key=orders.created.v1",
    "if len(password)>8 and len(token)<3",
    "NHS numbers 943 476 5918 have a check digit",
    "took 10.244.123.231:6379 2026-11-28 03:04:05",
    "api-0b7a9c1e-3d4f4a5b restarted",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_only_looks_like_a_secret_stays(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a=1;Password=p;w;d;Database=x", "a=1;Password=[redacted:value];Database=x"),
        ("GET /x?token=abcdefgh12&page=2", "GET /x?token=[redacted:value]&page=2"),
        ('{"a":"{\\"password\\":\\"p\\\\\\"w\\",\\"n\\":1}"}', '{"a":"{\\"password\\":\\"[redacted:value]\\",\\"n\\":1}"}'),
        ("password='it''s me' host=x", "password='[redacted:value]' host=x"),
        ("connect(password=hunter2x, port=1)", "connect(password=[redacted:value], port=1)"),
        ("the password: hunter2x.", "the password: [redacted:value]."),
        ("map[Authorization:[Bearer abc.def] X:[y]]", "map[Authorization:[Bearer [redacted:value]] X:[y]]"),
        ("dob=1980-01-31 ok", "dob=[redacted:birth-date] ok"),
        ("IBAN DE89 3704 0044 0532 0130 00 OK", "IBAN [redacted:iban] OK"),
    ],
)
def test_a_value_ends_where_its_dress_says(text, want):
    assert redact(text) == want


def test_a_value_that_nobody_closes_ends_with_its_line():
    assert value_at("'abc\nnext", 0) == (1, 4, True)
    assert value_at("", 0) == (0, 0, False)


def test_personal_data_in_objects_goes_by_its_label_and_its_form():
    shown = redact_json(
        {"dateOfBirth": "1980-01-31", "patient_id": 12345678, "npi": "none", "phone": True, "mobile": "0170 1234567"}
    )
    assert shown == {
        "dateOfBirth": "[redacted:birth-date]",
        "patient_id": "[redacted:health-id]",
        "npi": "none",
        "phone": True,
        "mobile": "[redacted:phone]",
    }


def test_lists_under_a_secret_name_go_and_samples_pass_untouched():
    assert redact_json({"X-Api-Key": ["abcdefgh"]}) == {"X-Api-Key": ["[redacted:value]"]}
    samples = [[1772593869.0, 4111111111111111], [1.5, None]]
    assert redact_json({"points": samples}) == {"points": samples}


DRESSES = [
    "| password | {} |",
    "password ({})",
    "Password\t{}",
    "machine h login u password {}",
    "{{b'password': b'{}'}}",
    'password: Some("{}")',
    "bindpw {}",
    "redis: AUTH {}",
    "password: |\n  {}\nport: 1",
    "password:\n  {}",
    "args:\n- --password\n- {}\n",
    "user%3Dx%26password%3D{}%26a%3Db",
    "secret_id={}",
    'form-data; name="password"\r\n\r\n{}\r\n',
    "\x1b[33mpassword\x1b[0m={}",
    "password：{}",
    "password → {}",
    "password=Optional[{}]",
    ':password "{}"',
    '<add key="ApiKey" value="{}"/>',
    "SET PASSWORD = '{}'",
    "A=1\x00DB_PASSWORD={}\x00B=2",
    "/?auth=Basic%20{}",
    'body={{\\"password\\":\\"{}\\"}}',
]


@pytest.mark.parametrize("dress", DRESSES)
def test_a_password_is_found_in_dresses_that_few_logs_wear(dress):
    cleaned = redact(dress.format("Zx9Qw8Er7Ty6"))
    assert "Zx9Qw8" not in cleaned
    assert redact(cleaned) == cleaned


def test_the_value_of_a_flag_goes_also_as_the_next_argument():
    assert redact_json({"args": ["--db-password", "Zx9Qw8Er", "--port", "80"]})["args"] == [
        "--db-password",
        "[redacted:value]",
        "--port",
        "80",
    ]
    assert redact_json(["--password", "--verbose"]) == ["--password", "--verbose"]
