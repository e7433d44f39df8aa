"""An alert of Opsgenie or JSM: labels from details, tags and Alertmanager's text, and what happens where they disagree."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.intake.opsgenie_alert import LONGEST_DESCRIPTION, alerts_from_desk
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership

REDIS = {"alertname": "RedisMemoryHigh", "alert_type": "infra", "redis_master": "cache"}
FIRING = (
    "Labels:\n - alertname = RedisMemoryHigh\n - alert_type = infra\n - redis_master = cache\n"
    "Annotations:\n - summary = full\nSource: http://p\n"
)
OVER = FIRING.replace("cache", "sessions")
DESCRIPTION = f"full\nAlerts Firing:\n{FIRING}\n\nAlerts Resolved:\n{OVER}"


def told(labels_in: str = "details", **alert: Any) -> tuple[Alert, ...]:
    shape = {"id": "a-1", "message": "redis", "status": "open", "createdAt": "2026-11-28T03:08:00Z", "tags": [], "description": ""}
    return alerts_from_desk({**shape, **alert}, labels_in)


def classify(alerts: tuple[Alert, ...]) -> AlertClass:
    """As triage classes an incident of these alerts."""
    frame = {"id": "a-1", "title": "", "status": IncidentStatus.TRIGGERED, "service": Reference(id="")}
    return triage(Incident(**frame, created_at=datetime(2026, 11, 28, tzinfo=UTC), alerts=alerts), Ownership()).labelled


@pytest.mark.parametrize("labels_in", ["details", "extraProperties"])
def test_labels_in_the_details(labels_in: str) -> None:
    [alert] = told(labels_in, **{labels_in: REDIS})
    assert (alert.labels, alert.labels_known, alert.source_id) == (REDIS, True, "a-1")
    assert alert.starts_at is not None
    assert alert.status is AlertStatus.FIRING


@pytest.mark.parametrize("tags", [["alert_type:infra", "redis_master:cache"], ["alert_type=infra", "redis_master=cache", "urgent"]])
def test_labels_in_tags(tags: list[str]) -> None:
    [alert] = told(tags=tags)
    assert alert.labels == {"alert_type": "infra", "redis_master": "cache"}


def test_every_alert_of_alertmanager_s_description() -> None:
    first, second = told(details=REDIS | {"redis_master": ""}, description=DESCRIPTION)
    assert (first.labels, first.status, first.annotations["summary"]) == (REDIS, AlertStatus.FIRING, "full")
    assert (second.labels["redis_master"], second.status) == ("sessions", AlertStatus.RESOLVED)


def test_a_closed_alert_is_over_whatever_its_description_says() -> None:
    assert {a.status for a in told(status="closed", description=DESCRIPTION)} == {AlertStatus.RESOLVED}


@pytest.mark.parametrize("alert", [
    {"details": REDIS, "tags": ["alert_type:model"]},
    {"details": {"alert_type": "model"}, "tags": ["alert_type=infra"]},
    {"tags": ["alert_type:infra", "alert_type:tool"]},
    {"details": {"alert_type": "model"}, "description": DESCRIPTION},
    {"tags": ["alert_type:model"], "description": DESCRIPTION},
    {"description": DESCRIPTION.replace("alert_type = infra", "alert_type = model", 1)},
])  # fmt: skip
def test_a_contradiction_about_the_class_is_mixed(alert: dict[str, Any]) -> None:
    assert len({a.labels.get("alert_type") for a in told(**alert)}) > 1
    assert classify(told(**alert)) is AlertClass.MIXED


def test_a_contradiction_about_the_target_is_kept_too() -> None:
    assert {a.labels.get("redis_master") for a in told(details=REDIS, tags=["redis_master:sessions"])} == {"cache", "sessions"}


@pytest.mark.parametrize(
    "tag", ["alert_type:Infra ", "alert_type: infra", "Alert_Type:infra", "alert_type", ":infra", "alert type:infra", 7]
)
def test_a_tag_that_is_not_exactly_a_label_makes_nothing_infra(tag: object) -> None:
    assert classify(told(tags=[tag])) is not AlertClass.INFRA


def test_a_description_as_long_as_can_be_kept_may_lack_its_end() -> None:
    long = DESCRIPTION + "x" * LONGEST_DESCRIPTION
    assert any(not a.labels_known for a in told(description=long))
    assert classify(told(description=long)) is not AlertClass.INFRA


@pytest.mark.parametrize(
    "alert", [{}, {"details": {}}, {"details": "alert_type: infra"}, {"tags": "alert_type:infra"}, {"details": [REDIS]}]
)
def test_without_labels_they_are_unknown(alert: dict[str, Any]) -> None:
    assert [a.labels_known for a in told(**alert)] == [False]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["id", "message", "status", "tags", "details", "description", "createdAt"]), JSON))
@settings(max_examples=300, deadline=None)
def test_no_alert_makes_the_reader_fail_or_say_nothing(raw: dict[str, object]) -> None:
    assert alerts_from_desk(raw, "details")
