"""The incidents of the night: what fires, with which labels, and what changed before."""

from datetime import datetime, timedelta

from sre_agent.testing.night.stage import MASTER, Stage

SLOW_REDIS = {
    "alertname": "RedisLatencyHigh",
    "alert_type": "infra",
    "team": "platform",
    "severity": "page",
    "redis_master": MASTER,
    "vertical": "sales",
}
WORSE_ANSWERS = {
    "alertname": "IntentAccuracyLow",
    "team": "ai-eng",
    "severity": "page",
    "vertical": "healthcare",
    "prompt": "intent-router",
}


def slow_redis(stage: Stage) -> str:
    """The incident that may be acted on."""
    return stage.pagerduty.add_incident("Redis p99 latency above 250 ms (cache)", [SLOW_REDIS])


def prompt_regression(stage: Stage, labelled: str, now: datetime) -> str:
    """Accuracy fell 20 minutes after a prompt went live. `labelled` is what the rule's author wrote: model, or infra."""
    # Both are of one service: a third service within five minutes would be an alert storm, in which nothing is done.
    service = "PINTENT01"
    stage.pagerduty.add_service(service, "intent-router", "PPLAT01")
    stage.pagerduty.add_change(
        "prompt intent-router: version 42 to 43 in production",
        now - timedelta(minutes=20),
        {"kind": "prompt", "target": "prompt/intent-router", "from": "42", "to": "43", "author": "dev@example.test"},
        service=service,
    )
    labels = {**WORSE_ANSWERS, "alert_type": labelled}
    return stage.pagerduty.add_incident(f"Intent accuracy down 4 % (labelled {labelled})", [labels], service=service)
