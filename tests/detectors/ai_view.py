"""Evidence about calls to somebody else, made to order: counters, gauges, hourly use of models, scores."""

import random
from datetime import UTC, datetime, timedelta

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=20)
START = ONSET - timedelta(hours=1)
STEP = 30


def counter(name, before, after, since=ONSET, until=NOW, born=START, **labels):
    """A counter growing `before` a second until `since`, then `after` a second until `until`, then `before` again."""
    samples, value, at = [], 1000.0 if born == START else 0.0, START
    while at <= NOW:
        value += STEP * (after if since <= at < until else before)
        if at >= born:
            samples.append((at.timestamp(), value))
        at += timedelta(seconds=STEP)
    return Series(labels={"__name__": name, **labels}, samples=tuple(samples))


def gauge(name, before, after, since=ONSET, **labels):
    """A gauge around `before`, then around `after`, with five percent of noise."""
    rng = random.Random(name + str(sorted(labels.items())))
    samples, at = [], START
    while at <= NOW:
        samples.append((at.timestamp(), (after if at >= since else before) * rng.uniform(0.95, 1.05)))
        at += timedelta(seconds=STEP)
    return Series(labels={"__name__": name, **labels}, samples=tuple(samples))


def use(hours_ago, count=200, model="nw-large-2", **more):
    """One hour of calls; 0 is the hour of the onset."""
    at = ONSET.replace(minute=0) - timedelta(hours=hours_ago)
    return {"model": model, "timestamp": at.isoformat(), "count": count, **more}


def day(count=200, since=12, model="nw-large-2", **more):
    """Twelve quiet hours, each a little different."""
    rng = random.Random(model)
    rows = []
    for h in range(since, 0, -1):
        n = int(count * rng.uniform(0.8, 1.2))
        scaled = {k: v * n * rng.uniform(0.95, 1.05) for k, v in more.items() if k in ("tokens", "cost_usd")}
        rows.append(use(h, n, model, **(more | scaled)))
    return rows


def scores(level, start, end, minutes=5, name="intent_accuracy", spread=0.03, seed="", **more):
    """Single scores around a level."""
    rng = random.Random(f"{level}{name}{seed}")
    rows, at = [], start
    while at < end:
        rows.append({"name": name, "timestamp": at.isoformat(), "value": level + rng.uniform(-spread, spread), **more})
        at += timedelta(minutes=minutes)
    return rows


def scope(**labels):
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name="agents"),
        alerts=(Alert(labels=labels or {"alert_type": "model"}, starts_at=ONSET),),
    )
    return Scope(
        incident=incident,
        now=NOW,
        onset=ONSET,
        window=Window(start=START, end=NOW),
        change_window=Window(start=ONSET - timedelta(hours=24), end=NOW),
    )


def view(*series, langfuse=None, changes=(), labels=None):
    evidence = []
    for name, kind, payload in (
        ("e1", EvidenceKind.METRICS, [s.model_dump(mode="json") for s in series]),
        ("e2", EvidenceKind.LANGFUSE, langfuse),
        ("e3", EvidenceKind.CHANGES, list(changes)),
    ):
        status = EvidenceStatus.OK if payload else EvidenceStatus.NO_DATA
        evidence.append(Evidence(id=name, source="x", kind=kind, query="", status=status, observed_at=NOW, payload=payload))
    return EvidenceView(scope=scope(**(labels or {})), evidence=tuple(evidence))
