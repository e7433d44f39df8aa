"""Typed findings: the closed vocabulary of what the detectors can say."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.incident.alert import AlertClass


class FindingKind(StrEnum):
    """Every cause or symptom the agent can name. EXPLANATIONS holds a line and a class for each."""

    REDIS_PRIMARY_SLOW = "redis_primary_slow"
    REDIS_PRIMARY_DOWN = "redis_primary_down"
    REDIS_MEMORY_FULL = "redis_memory_full"
    REDIS_REPLICATION_BROKEN = "redis_replication_broken"
    REDIS_NO_QUORUM = "redis_no_quorum"
    REDIS_OVERLOADED = "redis_overloaded"
    REDIS_CLUSTER_PRIMARY_SLOW = "redis_cluster_primary_slow"
    POSTGRES_PRIMARY_SICK = "postgres_primary_sick"
    POSTGRES_DISK_FULL = "postgres_disk_full"
    POSTGRES_CONNECTIONS_FULL = "postgres_connections_full"
    POSTGRES_REPLICA_LAG = "postgres_replica_lag"
    POSTGRES_CPU_FULL = "postgres_cpu_full"
    POSTGRES_RESTARTED = "postgres_restarted"
    QUEUE_DOWNSTREAM_FAILING = "queue_downstream_failing"
    QUEUE_MODEL_ERRORS = "queue_model_errors"
    QUEUE_LEFT_PAUSED = "queue_left_paused"
    POD_CRASH_LOOP = "pod_crash_loop"
    POD_OOM_KILLED = "pod_oom_killed"
    POD_IMAGE_PULL_FAILED = "pod_image_pull_failed"
    POD_BAD_CONFIG = "pod_bad_config"
    POD_NOT_READY = "pod_not_ready"
    POD_UNSCHEDULABLE = "pod_unschedulable"
    POD_PROBE_FAILING = "pod_probe_failing"
    CLAIM_UNBOUND = "claim_unbound"
    JOB_FAILED = "job_failed"
    REFERENCE_MISSING = "reference_missing"
    DNS_FAILING = "dns_failing"
    ROLLOUT_REGRESSION = "rollout_regression"
    DEPLOYMENT_DEGRADED = "deployment_degraded"
    DEPLOYMENT_SATURATED = "deployment_saturated"
    NODE_NOT_READY = "node_not_ready"
    NODE_PRESSURE = "node_pressure"
    NODE_FAILING_PODS = "node_failing_pods"
    NODE_LEFT_CORDONED = "node_left_cordoned"
    PROMPT_REGRESSION = "prompt_regression"
    PROMPT_CHANGED = "prompt_changed"
    MODEL_CHANGED = "model_changed"
    MODEL_PROVIDER_ERRORS = "model_provider_errors"
    TOOL_RATE_LIMITED = "tool_rate_limited"
    TOOL_ERRORS = "tool_errors"
    SERVICE_SLOW = "service_slow"
    SERVICE_FAILING = "service_failing"
    NETWORK_SLOW = "network_slow"
    SERVICE_BUSY = "service_busy"
    LOG_ERRORS_NEW = "log_errors_new"
    LOG_LINES_MISSING = "log_lines_missing"
    LOG_ERRORS = "log_errors"
    METRIC_SHIFTED = "metric_shifted"
    DEPLOYED_BEFORE_ONSET = "deployed_before_onset"


EXPLANATIONS: dict[FindingKind, tuple[AlertClass, str]] = {
    FindingKind.REDIS_PRIMARY_SLOW: (AlertClass.INFRA, "the Redis primary answers slowly or in fits while its replicas are fine"),
    FindingKind.REDIS_PRIMARY_DOWN: (AlertClass.INFRA, "the Redis primary does not answer from any vantage point"),
    FindingKind.REDIS_MEMORY_FULL: (AlertClass.INFRA, "Redis is at its memory limit; a replica would inherit that"),
    FindingKind.REDIS_REPLICATION_BROKEN: (AlertClass.INFRA, "no replica is in sync with the primary"),
    FindingKind.REDIS_NO_QUORUM: (AlertClass.INFRA, "the sentinels disagree or have no quorum"),
    FindingKind.REDIS_OVERLOADED: (AlertClass.INFRA, "load or a hot key, which a replica would inherit"),
    FindingKind.REDIS_CLUSTER_PRIMARY_SLOW: (
        AlertClass.INFRA,
        "a primary of a Redis Cluster answers slowly while its replicas are fine",
    ),
    FindingKind.POSTGRES_PRIMARY_SICK: (AlertClass.INFRA, "a PostgreSQL leader answers late while the other members are fine"),
    FindingKind.POSTGRES_DISK_FULL: (AlertClass.INFRA, "the storage of a PostgreSQL is nearly used up, and shrinks"),
    FindingKind.POSTGRES_CONNECTIONS_FULL: (
        AlertClass.INFRA,
        "a PostgreSQL's connections grew by half and stand at a ceiling",
    ),
    FindingKind.POSTGRES_REPLICA_LAG: (AlertClass.INFRA, "a replica of a PostgreSQL is minutes behind"),
    FindingKind.POSTGRES_CPU_FULL: (AlertClass.INFRA, "the CPU of a PostgreSQL is used up"),
    FindingKind.POSTGRES_RESTARTED: (AlertClass.INFRA, "all connections of a PostgreSQL were gone at once and came back"),
    FindingKind.QUEUE_DOWNSTREAM_FAILING: (
        AlertClass.INFRA,
        "most jobs of a queue fail because what is behind it does not answer",
    ),
    FindingKind.QUEUE_MODEL_ERRORS: (AlertClass.MODEL, "jobs of a queue fail at a model: for whoever owns the prompt"),
    FindingKind.QUEUE_LEFT_PAUSED: (AlertClass.INFRA, "a queue that this agent paused is still paused, and its time is over"),
    FindingKind.POD_CRASH_LOOP: (AlertClass.INFRA, "a container keeps exiting and being restarted"),
    FindingKind.POD_OOM_KILLED: (AlertClass.INFRA, "a container was killed at its memory limit"),
    FindingKind.POD_IMAGE_PULL_FAILED: (AlertClass.INFRA, "an image cannot be pulled; a restart cannot fix it"),
    FindingKind.POD_BAD_CONFIG: (AlertClass.INFRA, "a container cannot start for its command, config or secret"),
    FindingKind.POD_NOT_READY: (AlertClass.INFRA, "a running pod fails its readiness probe"),
    FindingKind.POD_UNSCHEDULABLE: (AlertClass.INFRA, "no node takes a pod; a restart cannot fix it"),
    FindingKind.POD_PROBE_FAILING: (AlertClass.INFRA, "a pod that works is killed by its own liveness probe"),
    FindingKind.CLAIM_UNBOUND: (AlertClass.INFRA, "a volume claim cannot be bound, so its pods cannot start"),
    FindingKind.JOB_FAILED: (AlertClass.INFRA, "a job has used up its retries"),
    FindingKind.REFERENCE_MISSING: (AlertClass.UNKNOWN, "something refers to an object that does not exist, as a tool's text says"),
    FindingKind.DNS_FAILING: (AlertClass.UNKNOWN, "names cannot be resolved, as logs say"),
    FindingKind.ROLLOUT_REGRESSION: (
        AlertClass.INFRA,
        "the pods of a Deployment's new revision fail, which came shortly before the onset, and the previous one was well",
    ),
    FindingKind.DEPLOYMENT_DEGRADED: (
        AlertClass.INFRA,
        "several pods of one Deployment run and fail their readiness probe, on healthy nodes and without a recent change",
    ),
    FindingKind.DEPLOYMENT_SATURATED: (
        AlertClass.INFRA,
        "all replicas of a Deployment are ready, and what they have of CPU, workers, queue or connections is used up",
    ),
    FindingKind.NODE_NOT_READY: (AlertClass.INFRA, "a node is not ready; its pods are a symptom"),
    FindingKind.NODE_PRESSURE: (AlertClass.INFRA, "a node is short of memory, disk or process ids"),
    FindingKind.NODE_FAILING_PODS: (
        AlertClass.INFRA,
        "pods of several owners fail on one node that says it is ready, and nowhere else",
    ),
    FindingKind.NODE_LEFT_CORDONED: (AlertClass.INFRA, "a node that this agent cordoned is well again and takes no new pods"),
    FindingKind.PROMPT_REGRESSION: (AlertClass.MODEL, "a quality score fell after a prompt version went live"),
    FindingKind.PROMPT_CHANGED: (AlertClass.MODEL, "a prompt version went live before the onset"),
    FindingKind.MODEL_CHANGED: (AlertClass.MODEL, "the model or its settings changed before the onset"),
    FindingKind.MODEL_PROVIDER_ERRORS: (AlertClass.MODEL, "the model provider answers 429, 5xx or late"),
    FindingKind.TOOL_RATE_LIMITED: (AlertClass.TOOL, "a tool's API answers 429"),
    FindingKind.TOOL_ERRORS: (AlertClass.TOOL, "a tool's API fails or times out"),
    FindingKind.SERVICE_SLOW: (
        AlertClass.UNKNOWN,
        "a service that the alerted one calls, directly or not, became slow together with it; where, not why",
    ),
    FindingKind.SERVICE_FAILING: (
        AlertClass.UNKNOWN,
        "a service that the alerted one calls, directly or not, fails more together with it; where, not why",
    ),
    FindingKind.NETWORK_SLOW: (AlertClass.UNKNOWN, "calls to a service lose time on the way, while it answers as before"),
    FindingKind.SERVICE_BUSY: (AlertClass.UNKNOWN, "a service uses many times the CPU it used before the onset"),
    FindingKind.LOG_ERRORS_NEW: (AlertClass.UNKNOWN, "a pod writes errors since the onset that it never wrote before"),
    FindingKind.LOG_LINES_MISSING: (AlertClass.UNKNOWN, "a pod stopped writing a line that it wrote all the time before the onset"),
    FindingKind.LOG_ERRORS: (AlertClass.UNKNOWN, "a log that was handed over as text holds errors"),
    FindingKind.METRIC_SHIFTED: (AlertClass.UNKNOWN, "a metric changed level near the onset; where, not why"),
    FindingKind.DEPLOYED_BEFORE_ONSET: (AlertClass.INFRA, "a deploy, config or flag change shortly before the onset"),
}


class Finding(BaseModel):
    """One typed statement, computed by code.

    `object` is "kind/name" in lower case ("redis/cache", "pod/api-1"). `strength` is 0..1. `evidence`
    holds Evidence ids. `refuted_by` says what would show it wrong. `cause` is one line for a human.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    kind: FindingKind
    object: str
    namespace: str | None = None
    cause: str
    onset: datetime | None = None
    strength: float = Field(ge=0.0, le=1.0)
    evidence: tuple[str, ...]
    refuted_by: str = ""

    @property
    def alert_class(self) -> AlertClass:
        """Whose problem this finding is."""
        return EXPLANATIONS[self.kind][0]


class RootCause(BaseModel):
    """A ranked cause, in the shape a dry run prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FindingKind
    object: str
    namespace: str | None = None
    score: float = Field(ge=0.0, le=1.0)
    evidence: tuple[str, ...]
