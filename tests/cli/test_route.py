"""`sre-agent route`: what it reads, prints and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre_agent.cli.main import app

KEYS = ["class", "receiver", "owner", "notify", "until", "escalate_to", "group", "may_act", "flags", "rule_ids", "reasons"]
MODEL = {"labels": {"alertname": "Worse", "alert_type": "model"}, "startsAt": "2026-03-04T12:00:00Z", "endsAt": None}


def routed(given: object, *words: str) -> object:
    text = given if isinstance(given, str) else json.dumps(given)
    result = CliRunner().invoke(app, ["route", "--json", *words, "-"], input=text)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_one_alert_is_one_object_with_exactly_these_keys() -> None:
    found = routed({**MODEL, "plan": 499, "severity": "sev2", "anything": [1]}, "--now", "2026-03-04T12:03:00Z")
    assert list(found) == KEYS
    assert (found["class"], found["notify"], found["until"]) == ("model", "hold", "2026-03-04T12:03:00Z")
    assert (found["receiver"], found["owner"], found["may_act"]) == ("pd-ai-eng", "ai-eng", False)


@pytest.mark.parametrize(
    ("more", "now", "notify", "until"),
    [
        ({}, "2026-03-04T12:03:01Z", "page", None),
        ({"plan": 499}, "2026-03-07T12:03:01Z", "hold", "2026-03-09T09:00:00Z"),
        ({"plan": "149"}, "2026-03-04T12:00:00Z", "email", None),
        ({"plan": [149, 1499]}, "2026-03-04T12:03:01Z", "page", None),
        ({"cost_ratio": 5.0}, "2026-03-04T12:03:01Z", "digest", "2026-03-04T13:00:00Z"),
        ({"cost_ratio": 5.01}, "2026-03-04T12:00:00Z", "page", None),
        ({"cost_ratio": None}, "2026-03-04T12:00:00Z", "digest", "2026-03-04T13:00:00Z"),
        ({"cost_ratio": 0}, "2026-03-04T12:00:00Z", "digest", "2026-03-04T13:00:00Z"),
        ({"endsAt": "2026-03-04T12:02:00Z"}, "2026-03-04T12:03:00Z", "none", None),
        ({"endsAt": "2026-03-04T12:10:00Z"}, "2026-03-04T12:04:00Z", "page", None),
        ({"endsAt": "0001-01-01T00:00:00Z"}, "2026-03-04T12:04:00Z", "page", None),
        ({"startsAt": "2030-01-01T00:00:00Z"}, "2026-03-04T12:04:00Z", "hold", "2026-03-04T12:07:00Z"),
    ],
)
def test_boundaries_as_a_person_would_try_them(more: dict[str, object], now: str, notify: str, until: str | None) -> None:
    found = routed({**MODEL, **more}, "--now", now)
    assert (found["notify"], found["until"]) == (notify, until)


@pytest.mark.parametrize(
    ("ms", "now", "notify"),
    [(801, "12:04:59", "hold"), (801, "12:05:00", "page"), (800, "12:05:00", "none"), (801, "12:30:00", "page")],
)
def test_the_healthcare_objective(ms: float, now: str, notify: str) -> None:
    labels = {"alertname": "FTLp95High", "alert_type": "model", "vertical": "healthcare"}
    for told in ({"value_ms": ms}, {"ftl_p95_ms": ms}, {"annotations": {"value": str(ms), "unit": "ms"}}):
        found = routed({**MODEL, "labels": labels, "plan": 499, **told}, "--now", f"2026-03-04T{now}Z")
        assert found["notify"] == notify


def test_a_list_is_a_list_and_a_hold_that_ran_out_says_what_it_came_to() -> None:
    ends = {**MODEL, "endsAt": "2026-03-04T12:05:00Z"}
    first, second = routed([MODEL, ends])
    assert (first["notify"], first["then"]) == ("hold", {"notify": "page", "at": "2026-03-04T12:03:01Z"})
    assert (second["notify"], "then" in second) == ("none", False)
    (alone,) = routed([MODEL])
    assert "then" not in alone


def test_a_flapping_alert_pages_at_most_once_in_a_list() -> None:
    events = []
    for n in range(0, 60, 3):
        begun = {**MODEL, "startsAt": f"2026-03-04T12:{n:02}:00Z"}
        events += [begun, {**begun, "endsAt": f"2026-03-04T12:{n + 2:02}:00Z"}]
    found = routed(events, "--now", "2026-03-04T14:00:00Z")
    assert sum(e["notify"] == "page" or e.get("then", {}).get("notify") == "page" for e in found) <= 1
    assert "flapping" in found[-2]["flags"]


def test_an_incident_of_several_alerts_that_disagree_is_mixed() -> None:
    other = {"labels": {"alertname": "X", "alert_type": "infra"}}
    found = routed({"alerts": [MODEL, other]}, "--now", "2026-03-04T12:00:00Z")
    assert (found["class"], found["receiver"], found["may_act"], "mixed" in found["flags"]) == ("mixed", "default", False, True)


def test_what_stands_beside_one_alert_of_an_incident_counts_and_two_plans_are_said() -> None:
    found = routed({"alerts": [{**MODEL, "plan": 149}, {**MODEL, "plan": 1499}]}, "--now", "2026-03-04T12:03:01Z")
    assert (found["notify"], found["flags"]) == ("page", ["several_plans"])


def test_a_group_is_decided_on_what_all_its_alerts_say_and_an_email_keeps_no_page_back() -> None:
    other = {**MODEL, "labels": {**MODEL["labels"], "pod": "b"}, "plan": 1499, "at": "2026-03-04T12:05:00Z"}
    first, second = routed([{**MODEL, "plan": 149}, other])
    assert (first["notify"], second["notify"], second["flags"]) == ("email", "page", ["several_plans"])


def test_an_event_of_a_list_that_begins_after_now_is_heard_now() -> None:
    infra = {"labels": {"alertname": "X", "alert_type": "infra"}, "startsAt": "2030-01-01T00:00:00Z"}
    found = routed([MODEL, infra], "--now", "2026-03-04T12:00:00Z")[1]
    assert (found["notify"], found["flags"], found["may_act"]) == ("page", ["clock_in_future"], False)


@pytest.mark.parametrize("plan", ["", None, []])
def test_an_empty_plan_is_no_plan(plan: object) -> None:
    assert routed({**MODEL, "plan": plan}, "--now", "2026-03-04T12:03:01Z")["flags"] == []


def test_a_plan_written_as_a_decimal_is_the_same_plan() -> None:
    assert routed({**MODEL, "plan": 499.0}, "--now", "2026-03-07T12:03:01Z")["notify"] == "hold"


def test_half_a_character_and_a_byte_order_mark_are_no_reason_to_fail() -> None:
    text = '\ufeff{"labels": {"alertname": "\\ud800", "alert_type": "infra"}, "startsAt": "2026-03-04T12:00:00Z"}'
    assert routed(text, "--now", "2026-03-04T12:00:00Z")["group"] == 'infra:alertname="?"'


def test_without_json_it_is_told_for_people(tmp_path: Path) -> None:
    (tmp_path / "alert.json").write_text(json.dumps(MODEL))
    result = CliRunner().invoke(app, ["route", "--now", "2026-03-04T12:00:00Z", str(tmp_path / "alert.json")])
    assert result.exit_code == 0
    assert "hold pd-ai-eng (owner ai-eng) until 2026-03-04 12:03:00 UTC; never acted on" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "holds no event"),
        ("3", "not an object"),
        ('[{"labels": {}, "startsAt": "2026-03-04T12:00:00Z"}, 3]', "event 2 is int"),
        ('{"labels": {"a": 1}}', "labels.a is 1: a label's value is text"),
        ('{"labels": [], "startsAt": "soon"}', "labels is not an object"),
        ('{"labels": {}, "startsAt": "soon"}', "startsAt is 'soon'"),
        ('{"labels": {}, "status": "odd"}', "status is 'odd'"),
        ('{"labels": {}, "value_ms": "fast"}', "value_ms is 'fast'"),
        ('[{"labels": {}}]', "event 1 has no startsAt"),
        ("[" * 100_000, "not JSON"),
        ('{"labels": {}, "value_ms": NaN}', "value_ms is nan"),
        ('{"labels": {}, "value_ms": 1' + "0" * 400 + "}", "not a number of milliseconds"),
        ('[{"labels": {}, "at": "9999-12-31T23:59:59Z"}]', "event 1 cannot be decided in the year 9999"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, said: str) -> None:
    result = CliRunner().invoke(app, ["route", "-"], input=text)
    assert result.exit_code == 2
    assert said in result.output


def test_a_file_that_is_not_there_and_a_moment_that_is_none() -> None:
    assert CliRunner().invoke(app, ["route", "/nowhere/x.json"]).exit_code == 2
    assert CliRunner().invoke(app, ["route", "--now", "soon", "-"], input=json.dumps(MODEL)).exit_code == 2
