"""Settings: precedence, clear errors, and secrets that stay secret."""

from pathlib import Path

import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.facts import Mode
from sre_agent.settings import Reasoner, Settings, fixed, load, shipped, variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)


def test_a_fresh_install_only_observes():
    assert load().mode is Mode.OBSERVE


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "sre-agent.yaml"
    config.write_text("SRE_AGENT_MODE: auto\nSRE_AGENT_WORKER_CONCURRENCY: 7\nPAGERDUTY_WEBHOOK_SECRETS: {PSUB: one}\n")
    monkeypatch.setenv("SRE_AGENT_MODE", "approve")
    settings = load(config)
    assert (settings.mode, settings.worker_concurrency, settings.webhook_secrets) == (Mode.APPROVE, 7, {"PSUB": "one"})


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PAGERDUTY_WEBHOOK_SECRET", "")
    monkeypatch.setenv("REDIS_SENTINELS", "")
    settings = load()
    assert settings.webhook_secrets == {}
    assert settings.redis_sentinels == ()


def test_fixed_settings_ignore_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SRE_AGENT_MODE", "auto")
    assert fixed({"SRE_AGENT_WORKER_CONCURRENCY": 2}).mode is Mode.OBSERVE


def test_secrets_by_subscription_and_the_single_one_stand_side_by_side():
    settings = fixed({"PAGERDUTY_WEBHOOK_SECRET": "any", "PAGERDUTY_WEBHOOK_SECRETS": '{"P1": "one", "P2": "two"}'})
    assert settings.webhook_secrets == {"P1": "one", "P2": "two", "": "any"}


def test_sentinels_are_parsed_with_ipv6_in_brackets():
    assert fixed({"REDIS_SENTINELS": "a:26379, [::1]:26380"}).redis_sentinels == (("a", 26379), ("::1", 26380))
    urls = fixed({"POSTGRES_URLS": "a=postgresql://u:p,q=r@h/d, b=postgres://h2/d"}).postgres_urls
    assert {k: v.get_secret_value() for k, v in urls.items()} == {"a": "postgresql://u:p,q=r@h/d", "b": "postgres://h2/d"}
    assert "p,q=r" not in repr(urls)
    assert set(fixed({"POSTGRES_URLS": '{"a": "postgresql://h/d"}'}).postgres_urls) == {"a"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Reasoner.RULES),
        ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}, Reasoner.OPENAI),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1/", "OPENAI_MODEL": "m"}, Reasoner.OPENAI),
        ({"OPENAI_API_KEY": "k", "SRE_AGENT_REASONER": "rules"}, Reasoner.RULES),
    ],
)
def test_the_reasoner_follows_from_what_is_configured(given: dict[str, str], expected: Reasoner):
    assert fixed(given).effective_reasoner is expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SRE_AGENT_MODE", "bold"),
        ("SRE_AGENT_WORKER_CONCURRENCY", "0"),
        ("SRE_AGENT_MODEL_MAX_USD", "nan"),
        ("POSTGRES_URLS", "a=mysql://h"),
        ("REDIS_SENTINELS", "host"),
        ("REDIS_SENTINELS", "host:99999"),
        ("REDIS_TLS", "perhaps"),
        ("PAGERDUTY_WEBHOOK_SECRETS", "[1]"),
        ("PAGERDUTY_WEBHOOK_SECRETS", "{broken"),
        ("PROMETHEUS_URL", "prometheus:9090"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable):
        load()


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"SRE_AGENT_REASONER": "openai"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "k"}, "OPENAI_MODEL"),
        ({"PAGERDUTY_API_TOKEN": "t"}, "PAGERDUTY_FROM_EMAIL"),
        ({"LANGFUSE_HOST": "http://127.0.0.1:1"}, "LANGFUSE_PUBLIC_KEY"),
        ({"REDIS_WRITE_USERNAME": "hands"}, "REDIS_WRITE_PASSWORD"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], variable: str):
    with pytest.raises(ConfigurationError, match=variable):
        fixed(given)


@pytest.mark.parametrize("value", ['{"PSUB": {"nested": "hush-hush"}}', '{"PSUB": hush-hush}', "hush-hush"])
def test_an_error_never_shows_the_secret(value: str):
    with pytest.raises(ConfigurationError) as refused:
        fixed({"PAGERDUTY_WEBHOOK_SECRETS": value})
    assert "hush" not in str(refused.value)


def test_secrets_are_masked_when_settings_are_printed():
    settings = fixed({"PAGERDUTY_WEBHOOK_SECRET": "hush-hush", "DATABASE_URL": "postgresql://u:hush-hush@h/db"})
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2\n", "line 2"),
        ("- a\n- b\n", "mapping"),
        ("SRE_AGENT_MODUS: auto\n", "SRE_AGENT_MODUS"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str, said: str):
    config = tmp_path / "sre-agent.yaml"
    config.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(config)
    assert str(config) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(tmp_path / "x.yaml")


def test_every_setting_says_what_it_is_and_why_its_default():
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        assert extra["what"], name
        assert extra["why"], name
        assert field.description, name


def test_the_shipped_folders_are_found_in_a_checkout():
    assert shipped("policies") == Path(__file__).resolve().parents[2] / "policies"


def test_an_unknown_shipped_folder_is_refused():
    with pytest.raises(ConfigurationError, match="nonsense"):
        shipped("nonsense")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"JSM_CLOUD_ID": "c", "JSM_EMAIL": "bot@example.com"}, "JSM_API_TOKEN"),
        ({"JSM_API_TOKEN": "t"}, "JSM_CLOUD_ID"),
        ({"SRE_AGENT_OPSGENIE_TOKEN": "t"}, "OPSGENIE_API_KEY"),
        ({"SRE_AGENT_JSM_TOKEN": "t"}, "JSM_API_TOKEN"),
        ({"SRE_AGENT_WEBHOOK_SIGNING_SECRETS": '{"rotly": "s3cr3t"}'}, "unknown sender rotly"),
    ],
)
def test_what_a_door_needs_together_is_told(given: dict[str, str], told: str):
    with pytest.raises(ConfigurationError, match=told) as wrong:
        fixed(given)
    assert "s3cr3t" not in str(wrong.value)
