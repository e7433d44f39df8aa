"""Whether the alerts' labels name a thing: what stands at its limit by design matters only then. Pure. Labels are untrusted."""

from sre_agent.incident.incident import Incident

_LABELS = (
    "deployment", "statefulset", "daemonset", "replicaset", "workload", "service", "app", "app_kubernetes_io_name",
    "job_name", "cronjob", "horizontalpodautoscaler", "hpa", "poddisruptionbudget", "persistentvolumeclaim", "container",
    "name", "pod",
)  # fmt: skip


def named_by_alert(incident: Incident, *names: str) -> bool:
    """Whether a label of an alert holds one of these names, or names a pod of such a workload."""
    wanted = [n for n in names if n]
    for label in _LABELS:
        for value in incident.label_values(label):
            if value in wanted or (label == "pod" and any(value.startswith(f"{n}-") for n in wanted)):
                return True
    return False
