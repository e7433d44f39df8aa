"""Every check there is, by connection. What a check needs (`after`) stands before it."""

from sre_agent.wiring.doctor import (
    alertmanager,
    database,
    kubernetes,
    langfuse,
    loki,
    model,
    outside,
    own_settings,
    pagerduty,
    paging,
    patroni,
    postgres,
    prometheus,
    queues,
    redis_cluster,
    running,
    sentinel,
    slack,
)
from sre_agent.wiring.doctor.check import Check

CHECKS: tuple[Check, ...] = (
    *own_settings.CHECKS,
    *database.CHECKS,
    *running.CHECKS,
    *pagerduty.CHECKS,
    *paging.CHECKS,
    *slack.CHECKS,
    *prometheus.CHECKS,
    *alertmanager.CHECKS,
    *loki.CHECKS,
    *kubernetes.CHECKS,
    *sentinel.CHECKS,
    *redis_cluster.CHECKS,
    *queues.CHECKS,
    *patroni.CHECKS,
    *postgres.CHECKS,
    *langfuse.CHECKS,
    *model.CHECKS,
    *outside.CHECKS,
)
