"""Why a fault is there, where that is known: finer than the kind, closed as well. It may take a proposal away, never make one."""

from enum import StrEnum


class FindingReason(StrEnum):
    """Why. REASONS holds a line for each, which follows "because"."""

    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_NAME_INVALID = "image_name_invalid"
    REGISTRY_UNAUTHORIZED = "registry_unauthorized"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    REGISTRY_RATE_LIMITED = "registry_rate_limited"
    NEVER_PULLED = "never_pulled"
    CONFIG_MAP_MISSING = "config_map_missing"
    SECRET_MISSING = "secret_missing"  # noqa: S105
    KEY_MISSING = "key_missing"
    COMMAND_NOT_FOUND = "command_not_found"
    ENV_MISSING = "env_missing"
    SETTINGS_REJECTED = "settings_rejected"
    RUNS_AS_ROOT = "runs_as_root"
    NO_PERMISSION = "no_permission"
    APP_ERROR = "app_error"
    EXITS_CLEANLY = "exits_cleanly"
    SEGFAULT = "segfault"
    ABORTED = "aborted"
    KILLED = "killed"
    MEMORY_LIMIT = "memory_limit"
    NODE_OUT_OF_MEMORY = "node_out_of_memory"
    LIVENESS_FAILED = "liveness_failed"
    STARTUP_FAILED = "startup_failed"
    READINESS_FAILED = "readiness_failed"
    PROBE_PORT_WRONG = "probe_port_wrong"
    PROBE_PATH_WRONG = "probe_path_wrong"
    PROBE_TOO_STRICT = "probe_too_strict"
    DEPENDENCY_UNREACHABLE = "dependency_unreachable"
    DISK_FULL = "disk_full"
    CPU_SHORT = "cpu_short"
    MEMORY_SHORT = "memory_short"
    EXTENDED_RESOURCE_SHORT = "extended_resource_short"
    NODE_SELECTOR = "node_selector"
    AFFINITY = "affinity"
    TAINT = "taint"
    NODES_CORDONED = "nodes_cordoned"
    PODS_FULL = "pods_full"
    HOST_PORT = "host_port"
    VOLUME_ZONE = "volume_zone"
    CLAIM_MISSING = "claim_missing"
    CLAIM_WAITS = "claim_waits"
    NO_NODES = "no_nodes"
    GATED = "gated"
    QUOTA_EXCEEDED = "quota_exceeded"
    LIMIT_RANGE = "limit_range"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"
    PRIORITY_CLASS_MISSING = "priority_class_missing"
    POD_SECURITY = "pod_security"
    ADMISSION_DENIED = "admission_denied"
    ADMISSION_UNREACHABLE = "admission_unreachable"
    STORAGE_CLASS_MISSING = "storage_class_missing"
    NO_STORAGE_CLASS = "no_storage_class"
    NO_MATCHING_VOLUME = "no_matching_volume"
    PROVISIONER_FAILED = "provisioner_failed"
    VOLUME_IN_USE = "volume_in_use"
    MOUNT_FAILED = "mount_failed"
    BACKOFF_LIMIT = "backoff_limit"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    SUSPENDED = "suspended"
    FINALIZER = "finalizer"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    SLOW = "slow"
    UNAUTHORIZED = "unauthorized"
    CONNECTION_REFUSED = "connection_refused"
    NAME_NOT_FOUND = "name_not_found"
    PORT_WRONG = "port_wrong"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    MEMORY_PRESSURE = "memory_pressure"
    DISK_PRESSURE = "disk_pressure"
    PID_PRESSURE = "pid_pressure"
    KUBELET_SILENT = "kubelet_silent"
    NETWORK_UNAVAILABLE = "network_unavailable"


REASONS: dict[FindingReason, str] = {
    FindingReason.IMAGE_NOT_FOUND: "the registry has no such image or tag",
    FindingReason.IMAGE_NAME_INVALID: "the image's name is not one",
    FindingReason.REGISTRY_UNAUTHORIZED: "the registry wants other credentials",
    FindingReason.REGISTRY_UNREACHABLE: "the registry cannot be reached",
    FindingReason.REGISTRY_RATE_LIMITED: "the registry refuses further pulls for now",
    FindingReason.NEVER_PULLED: "the image is not on the node and may not be pulled",
    FindingReason.CONFIG_MAP_MISSING: "a ConfigMap it names does not exist",
    FindingReason.SECRET_MISSING: "a Secret it names does not exist",
    FindingReason.KEY_MISSING: "a key that it names is not in the ConfigMap or Secret",
    FindingReason.COMMAND_NOT_FOUND: "its command does not exist in the image, or cannot be executed",
    FindingReason.ENV_MISSING: "it misses an environment variable",
    FindingReason.SETTINGS_REJECTED: "it does not accept its settings",
    FindingReason.RUNS_AS_ROOT: "it would run as root, which it must not",
    FindingReason.NO_PERMISSION: "it lacks a right or may not read or write a file",
    FindingReason.APP_ERROR: "an error of the application",
    FindingReason.EXITS_CLEANLY: "it ends by itself, without an error",
    FindingReason.SEGFAULT: "a segmentation fault",
    FindingReason.ABORTED: "it aborted",
    FindingReason.KILLED: "it was killed, not for its memory limit",
    FindingReason.MEMORY_LIMIT: "it reached its memory limit",
    FindingReason.NODE_OUT_OF_MEMORY: "its node ran out of memory",
    FindingReason.LIVENESS_FAILED: "its liveness probe failed",
    FindingReason.STARTUP_FAILED: "its startup probe failed",
    FindingReason.READINESS_FAILED: "its readiness probe fails",
    FindingReason.PROBE_PORT_WRONG: "its probe asks a port on which it does not listen",
    FindingReason.PROBE_PATH_WRONG: "its probe asks a path that it does not have",
    FindingReason.PROBE_TOO_STRICT: "its probe gives it too little time",
    FindingReason.DEPENDENCY_UNREACHABLE: "something that it needs does not answer",
    FindingReason.DISK_FULL: "no space is left",
    FindingReason.CPU_SHORT: "no node has enough CPU left",
    FindingReason.MEMORY_SHORT: "no node has enough memory left",
    FindingReason.EXTENDED_RESOURCE_SHORT: "no node has the device or resource it asks for",
    FindingReason.NODE_SELECTOR: "no node has the labels it asks for",
    FindingReason.AFFINITY: "its affinity or spread rules leave no node",
    FindingReason.TAINT: "every node that would do has a taint it does not tolerate",
    FindingReason.NODES_CORDONED: "the nodes that would do are cordoned",
    FindingReason.PODS_FULL: "the nodes that would do have no place for another pod",
    FindingReason.HOST_PORT: "the port it wants on the node is taken",
    FindingReason.VOLUME_ZONE: "its volume is where no node is",
    FindingReason.CLAIM_MISSING: "a volume claim it names does not exist",
    FindingReason.CLAIM_WAITS: "its volume claim is not bound",
    FindingReason.NO_NODES: "there is no node at all",
    FindingReason.GATED: "somebody holds it back by a scheduling gate",
    FindingReason.QUOTA_EXCEEDED: "the quota is used up",
    FindingReason.LIMIT_RANGE: "it asks for what the namespace's limit range does not allow",
    FindingReason.SERVICE_ACCOUNT_MISSING: "its ServiceAccount does not exist",
    FindingReason.PRIORITY_CLASS_MISSING: "its PriorityClass does not exist",
    FindingReason.POD_SECURITY: "the namespace's pod security standard does not allow it",
    FindingReason.ADMISSION_DENIED: "an admission webhook or policy refuses it",
    FindingReason.ADMISSION_UNREACHABLE: "an admission webhook does not answer",
    FindingReason.STORAGE_CLASS_MISSING: "its StorageClass does not exist",
    FindingReason.NO_STORAGE_CLASS: "it names no StorageClass and there is no default",
    FindingReason.NO_MATCHING_VOLUME: "no volume fits its size, mode or class",
    FindingReason.PROVISIONER_FAILED: "the provisioner could not make a volume",
    FindingReason.VOLUME_IN_USE: "its volume is attached to another node",
    FindingReason.MOUNT_FAILED: "its volume could not be mounted",
    FindingReason.BACKOFF_LIMIT: "its retries are used up",
    FindingReason.DEADLINE_EXCEEDED: "its deadline has passed",
    FindingReason.SUSPENDED: "it is suspended",
    FindingReason.FINALIZER: "a finalizer has not let it go",
    FindingReason.RATE_LIMITED: "it answers 429",
    FindingReason.OVERLOADED: "it answers 5xx or says that it is overloaded",
    FindingReason.TIMED_OUT: "it does not answer in time",
    FindingReason.SLOW: "it answers late",
    FindingReason.UNAUTHORIZED: "it does not accept the caller's credentials",
    FindingReason.CONNECTION_REFUSED: "nothing listens there",
    FindingReason.NAME_NOT_FOUND: "its name cannot be resolved",
    FindingReason.PORT_WRONG: "it listens on another port",
    FindingReason.TOO_MANY_CONNECTIONS: "it has no connection left",
    FindingReason.MEMORY_PRESSURE: "memory is short",
    FindingReason.DISK_PRESSURE: "disk is short",
    FindingReason.PID_PRESSURE: "process ids are short",
    FindingReason.KUBELET_SILENT: "its kubelet does not report",
    FindingReason.NETWORK_UNAVAILABLE: "its network is not set up",
}
