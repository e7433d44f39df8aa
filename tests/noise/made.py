"""Pages made for a test, minutes after a Monday noon in UTC."""

from datetime import UTC, datetime, timedelta

from sre_agent.noise.page import Page

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WELL_LABELLED = {"alert_type": "infra", "team": "platform", "severity": "page"}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def page(number: int, began: float, lasted: float | None = 2.0, **changed) -> Page:
    """Page `number`, begun `began` minutes after noon and over by itself `lasted` minutes later; nobody acted upon it."""
    values = {
        "id": f"Q{number:05}",
        "title": "t",
        "service": "voice",
        "rule": "LatencyHigh",
        "group": "g",
        "labels": WELL_LABELLED,
        "labels_known": True,
        "urgency": "high",
        "created_at": at(began),
        "acknowledged_at": None,
        "resolved_at": None if lasted is None else at(began + lasted),
        "by_itself": None if lasted is None else True,
        "acted": False,
        "wrong_team": None,
        "night": False,
        "notified": 1,
        "cost": False,
        "cost_ratio": None,
    }
    return Page(**{**values, **changed})
