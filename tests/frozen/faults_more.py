"""More faults, written down before anything was tried on them: two at once, controllers of other kinds, admission, way stations."""

import copy

from sre_agent.evidence.finding import FindingKind as K
from tests.frozen.cluster import LATELY, ago, container, meta, node, pod
from tests.frozen.fault import collection

FAULTS_MORE, fault = collection()
CRASHED = {K.POD_CRASH_LOOP, K.POD_BAD_CONFIG, K.CONFIG_INVALID}
REFUSED = {K.POD_CREATION_REFUSED}


def refused(world, app, said, reason="FailedCreate"):
    """No pod of a Deployment is let into the cluster any more."""
    world.unready(app)
    world.drop(*world.pods(app))
    replica_set = world.get("ReplicaSet", f"{app}-5d9c")
    replica_set["status"] = {"replicas": 0}
    failed = {"type": "ReplicaFailure", "status": "True", "reason": reason, "message": said, "lastTransitionTime": LATELY}
    world.get("Deployment", app)["status"]["conditions"].append(failed)
    world.event(replica_set, reason, f"Error creating: {said}")


@fault({K.POD_OOM_KILLED, K.POD_IMAGE_PULL_FAILED}, "pod/cart-*", "pod/mailer-*")
def two_faults_at_once(world):
    world.crashing("cart", 137, "OOMKilled")
    for p in world.waiting("mailer", "ImagePullBackOff", 'Back-off pulling image "registry.example.com/mailer:2"'):
        world.event(p, "Failed", 'Failed to pull image "registry.example.com/mailer:2": not found')


@fault(CRASHED, "pod/web-*", "deployment/web")
def sidecar_that_crashes(world):
    for p in world.unready("web"):
        p["spec"]["containers"].append(container("proxy", 15001, {}))
        p["status"]["containerStatuses"][0]["ready"] = True
        ended = {"exitCode": 2, "reason": "Error", "startedAt": ago(minutes=3), "finishedAt": ago(minutes=2)}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=proxy"}}
        p["status"]["containerStatuses"].append(
            {"name": "proxy", "ready": False, "restartCount": 7, "state": state, "lastState": {"terminated": ended}, "image": "x"}
        )
        world.event(p, "BackOff", "Back-off restarting failed container proxy in pod web")


@fault({K.JOB_FAILED}, "job/report-*", "cronjob/report", "pod/report-*")
def cron_job_whose_pods_fail(world):
    spec = {"schedule": "*/30 * * * *", "jobTemplate": {"spec": {"backoffLimit": 1}}}
    cron = {"kind": "CronJob", "metadata": meta("report"), "spec": spec, "status": {"lastScheduleTime": ago(minutes=30)}}
    job = {"kind": "Job", "metadata": meta("report-29", owner=cron, made=ago(minutes=30)), "spec": {"backoffLimit": 1}}
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": ago(minutes=12)}
    job["status"] = {"failed": 2, "startTime": ago(minutes=30), "conditions": [failed]}
    spec = {"containers": [container("report", 0, {})], "restartPolicy": "Never"}
    for n in (1, 2):
        dead = pod(f"report-29-{n}", job, spec, {"job-name": "report-29"}, "n1")
        ended = {"exitCode": 3, "reason": "Error", "finishedAt": ago(minutes=14 - n), "startedAt": ago(minutes=15 - n)}
        dead["status"]["phase"] = "Failed"
        dead["status"]["containerStatuses"][0] |= {"ready": False, "state": {"terminated": ended}}
        world.items.append(dead)
    world.items += [cron, job]
    world.event(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit", 1)


@fault(CRASHED, "pod/queue-1", "statefulset/queue")
def ordinal_that_holds_up_the_next(world):
    labels, spec = {"app": "queue"}, {"containers": [container("queue", 5672, {})]}
    common = {"replicas": 3, "serviceName": "queue", "selector": {"matchLabels": labels}}
    common |= {"template": {"metadata": {"labels": labels}, "spec": spec}, "podManagementPolicy": "OrderedReady"}
    owner = {"kind": "StatefulSet", "metadata": meta("queue", labels), "spec": common}
    owner["status"] = {"replicas": 2, "readyReplicas": 1, "currentReplicas": 2, "updatedReplicas": 2}
    world.items += [owner, *(pod(f"queue-{i}", owner, spec, labels, f"n{i + 1}") for i in range(2))]
    world.crashing("queue", 1, lines=["panic: cluster id does not match the data directory"], which=[1])
    owner["status"]["readyReplicas"] = 1


@fault({K.POD_IMAGE_PULL_FAILED}, "pod/shipper-*", "daemonset/shipper")
def image_without_the_architecture_of_one_node(world):
    labels, spec = {"app": "shipper"}, {"containers": [container("shipper", 0, {})]}
    owner = {"kind": "DaemonSet", "metadata": meta("shipper", labels)}
    owner["spec"] = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}
    owner["status"] = {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2, "numberUnavailable": 1}
    world.items += [owner, *(pod(f"shipper-{i}", owner, spec, labels, f"n{i + 1}") for i in range(3))]
    for p in world.waiting("shipper", "ImagePullBackOff", "Back-off pulling image", which=[2]):
        said = "no matching manifest for linux/arm64/v8 in the manifest list entries"
        world.event(p, "Failed", f'Failed to pull image "registry.example.com/shipper:1.0": {said}')


@fault(CRASHED, "pod/mailer-*", "deployment/mailer")
def program_of_another_architecture(world):
    world.crashing("mailer", 255, lines=["exec /app/mailer: exec format error"])


@fault({K.DEPENDENCY_ADDRESS_WRONG, K.DEPENDENCY_REFUSES, *CRASHED}, "pod/cart-*", "deployment/cart", "service/postgres")
def port_that_the_service_does_not_have(world):
    for p in world.crashing("cart", 1, lines=["connect to postgres port 5433 failed: Connection refused"] * 3):
        p["spec"]["containers"][0]["env"][1]["value"] = "5433"


@fault({K.POD_BAD_CONFIG}, "pod/cart-*", "deployment/cart")
def key_that_the_secret_lacks(world):
    said = "couldn't find key password in Secret shop/cart-db"
    for p in world.waiting("cart", "CreateContainerConfigError", said):
        world.event(p, "Failed", f"Error: {said}")


@fault(REFUSED, "deployment/cart", "replicaset/cart-*")
def limits_above_what_the_namespace_allows(world):
    world.items.append({"kind": "LimitRange", "metadata": meta("small", made=LATELY), "spec": {"limits": []}})
    refused(world, "cart", 'pods "cart-5d9c-x" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi')


@fault(REFUSED, "deployment/web", "replicaset/web-*")
def pod_that_the_security_standard_forbids(world):
    said = 'pods "web-5d9c-x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
    refused(world, "web", said + '(container "web" must set securityContext.allowPrivilegeEscalation=false)')


@fault(REFUSED, "deployment/mailer", "replicaset/mailer-*")
def admission_webhook_that_is_down(world):
    call = 'failed to call webhook: Post "https://gate.policy.svc:443/check?timeout=10s": dial tcp 10.1.0.7:443: connect: '
    refused(world, "mailer", f'Internal error occurred: failed calling webhook "gate.policy.example.com": {call}connection refused')


@fault({K.INGRESS_BROKEN}, "ingress/front")
def ingress_without_its_certificate(world):
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    spec = {"ingressClassName": "nginx", "rules": rules, "tls": [{"hosts": ["shop.example.com"], "secretName": "front-tls"}]}
    world.items.append({"kind": "Ingress", "metadata": meta("front"), "spec": spec})
    world.items.append({"kind": "IngressClass", "metadata": meta("nginx", namespace="")})
    world.items.append({"kind": "Secret", "metadata": meta("other-tls"), "type": "kubernetes.io/tls"})


@fault({K.DEPENDENCY_ADDRESS_WRONG, K.DNS_FAILING, *CRASHED}, "pod/cart-*", "deployment/cart", "service/postgres-*")
def headless_service_that_is_gone(world):
    host = "postgres-0.postgres-members"
    for p in world.crashing("cart", 1, lines=[f"getaddrinfo ENOTFOUND {host}.shop.svc.cluster.local"] * 3):
        p["spec"]["containers"][0]["env"][0]["value"] = f"{host}.shop.svc.cluster.local"


@fault({K.DEPENDENCY_ADDRESS_WRONG, K.DNS_FAILING, K.DEPENDENCY_DOWN}, "service/payments", "app/*", "deployment/cart", "pod/cart-*")
def outside_name_with_a_typo(world):
    spec = {"type": "ExternalName", "externalName": "pay.example.con"}
    world.items.append({"kind": "Service", "metadata": meta("payments"), "spec": spec, "status": {}})
    for p in world.pods("cart"):
        p["spec"]["containers"][0]["env"].append({"name": "PAYMENTS_URL", "value": "http://payments:8080"})
        world.logs[p["metadata"]["name"], "cart"] = [
            f"{ago(minutes=2)} ERROR POST http://payments:8080/charge: lookup payments: no such host"
        ] * 5
    world.unready("cart")


@fault({K.SERVICE_PORT_MISMATCH}, "service/cart")
def port_name_that_no_container_has(world):
    world.get("Service", "cart")["spec"]["ports"] = [{"port": 8080, "targetPort": "http", "protocol": "TCP"}]
    world.get("Endpoints", "cart")["subsets"] = []


@fault({K.NETWORK_POLICY_DENIES}, "networkpolicy/*", "deployment/cart")
def policy_that_forgets_the_name_server(world):
    egress = [{"to": [{"podSelector": {"matchLabels": {"app": "postgres"}}}], "ports": [{"port": 5432}]}]
    spec = {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Egress"], "egress": egress}
    world.items.append({"kind": "NetworkPolicy", "metadata": meta("cart-out", made=LATELY), "spec": spec})
    world.unready("cart")
    for p in world.pods("cart"):
        world.logs[p["metadata"]["name"], "cart"] = [
            f"{ago(minutes=2)} ERROR dial tcp: lookup postgres on 10.96.0.10:53: read udp: i/o timeout"
        ] * 5


@fault({K.POD_IMAGE_PULL_FAILED}, "pod/cart-*", "deployment/cart")
def init_container_that_waits_for_a_service(world):
    for p in world.waiting("cart", "ImagePullBackOff", 'Back-off pulling image "registry.example.com/cart:9.9"'):
        world.event(p, "Failed", 'Failed to pull image "registry.example.com/cart:9.9": manifest unknown')
    for p in world.waiting("web", "PodInitializing"):
        wait = {"name": "wait", "image": "busybox:1", "command": ["sh", "-c", "until nc -z cart 8080; do sleep 2; done"]}
        p["spec"]["initContainers"] = [wait]
        state = {"running": {"startedAt": LATELY}}
        p["status"]["initContainerStatuses"] = [
            {"name": "wait", "ready": False, "restartCount": 0, "state": state, "lastState": {}, "image": "x"}
        ]


@fault({K.DISRUPTION_BUDGET_BLOCKS, K.NODE_CORDONED}, "poddisruptionbudget/cart", "pdb/cart", "node/n*", "deployment/cart")
def budget_that_holds_up_a_drain(world):
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "cart"}}}
    status = {"currentHealthy": 2, "desiredHealthy": 2, "disruptionsAllowed": 0, "expectedPods": 2, "observedGeneration": 1}
    world.items.append({"kind": "PodDisruptionBudget", "metadata": meta("cart"), "spec": spec, "status": status})
    first = world.pods("cart")[0]
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(minutes=40)}
    world.get("Node", first["spec"]["nodeName"])["spec"] = {"unschedulable": True, "taints": [taint]}
    world.event(first, "EvictionBlocked", "Cannot evict pod as it would violate the pod's disruption budget.", 40)


@fault({K.DELETION_STUCK}, "pod/mailer-*", "deployment/mailer")
def finalizer_that_nobody_clears(world):
    for p in world.unready("mailer"):
        p["metadata"] |= {
            "deletionTimestamp": ago(minutes=30),
            "deletionGracePeriodSeconds": 30,
            "finalizers": ["example.com/billing"],
        }


@fault({K.DELETION_STUCK, *REFUSED}, "namespace/shop", "deployment/cart")
def namespace_that_is_being_deleted(world):
    remaining = {"type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain"}
    remaining["message"] = "Some resources are remaining: widgets.example.com has 1 resource instances"
    space = {"kind": "Namespace", "metadata": meta("shop", namespace="") | {"deletionTimestamp": ago(minutes=25)}}
    world.items.append(
        space | {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating", "conditions": [remaining]}}
    )
    said = "unable to create new content in namespace shop because it is being terminated"
    refused(world, "cart", f'pods "cart-5d9c-x" is forbidden: {said}')


@fault({K.POD_EVICTED}, "pod/cart-*", "deployment/cart")
def pod_that_wrote_too_much(world):
    said = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
    for p in world.unready("cart", [0]):
        p["status"] |= {"phase": "Failed", "reason": "Evicted", "message": said, "startTime": ago(minutes=20)}
        world.event(p, "Evicted", said, 1)


@fault({K.POD_PROBE_FAILING}, "pod/cart-*", "deployment/cart")
def startup_probe_that_is_too_strict(world):
    for p in world.crashing("cart", 137, "Error"):
        probe = {"httpGet": {"path": "/healthz", "port": 8080}, "failureThreshold": 3, "periodSeconds": 2, "timeoutSeconds": 1}
        p["spec"]["containers"][0]["startupProbe"] = probe
        refused_by = "dial tcp 10.0.0.9:8080: connect: connection refused"
        world.event(p, "Unhealthy", f'Startup probe failed: Get "http://10.0.0.9:8080/healthz": {refused_by}', 24)
        world.event(p, "Killing", "Container cart failed startup probe, will be restarted", 8)
        p["status"]["containerStatuses"][0]["lastState"]["terminated"]["startedAt"] = ago(minutes=2, seconds=20)


@fault(CRASHED, "pod/cart-*", "deployment/cart")
def settings_changed_just_before_the_crash(world):
    written = {"manager": "kubectl-edit", "operation": "Update", "time": ago(minutes=15)}
    settings = {"kind": "ConfigMap", "metadata": meta("cart-settings") | {"managedFields": [written]}}
    world.items.append(settings)
    for p in world.crashing("cart", 1, lines=["ValueError: invalid literal for int() with base 10: 'ten'"]):
        p["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "cart-settings"}}]


@fault({K.NODE_PRESSURE, K.NODE_NOT_READY, K.NODE_FAILING_PODS}, "node/n2")
def node_whose_file_system_became_read_only(world):
    bad = {"type": "ReadonlyFilesystem", "status": "True", "reason": "FilesystemIsReadOnly", "lastTransitionTime": LATELY}
    world.get("Node", "n2")["status"]["conditions"].append(bad | {"message": "Filesystem is read-only"})
    for app in ("web", "cart", "redis", "mailer"):
        here = [i for i, p in enumerate(world.pods(app)) if p["spec"]["nodeName"] == "n2"]
        if here:
            world.crashing(app, 1, lines=["open /tmp/x: read-only file system"], which=here)


@fault({K.POD_BAD_CONFIG}, "pod/mailer-*", "deployment/mailer")
def image_that_runs_as_root(world):
    said = "container has runAsNonRoot and image will run as root"
    for p in world.waiting("mailer", "CreateContainerConfigError", said):
        p["spec"]["securityContext"] = {"runAsNonRoot": True}
        world.event(p, "Failed", f"Error: {said}")


@fault({K.POD_UNSCHEDULABLE}, "pod/postgres-0", "statefulset/postgres")
def volume_in_a_zone_without_nodes(world):
    world.unplaced("postgres", "0/3 nodes are available: 3 node(s) had volume node affinity conflict.")


@fault({K.NODE_NOT_READY}, "node/n4")
def node_that_went_away_with_its_pods_unplaced(world):
    gone = node("n4")
    for c in gone["status"]["conditions"]:
        c |= {"status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": LATELY}
    gone["spec"] = {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]}
    world.items.append(gone)
    said = "0/4 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 3 Insufficient cpu."
    world.unplaced("cart", said, which=[0])
    lost = copy.deepcopy(world.pods("cart")[1])
    lost["metadata"] |= {"name": "cart-5d9c-7", "uid": "uid-lost", "deletionTimestamp": ago(minutes=7)}
    lost["spec"]["nodeName"] = "n4"
    world.items.append(lost)


@fault({K.AUTOSCALER_AT_LIMIT, K.POD_CPU_THROTTLED, K.DEPLOYMENT_SATURATED}, "hpa/web", "deployment/web", "pod/web-*")
def autoscaler_at_its_limit_and_throttled(world):
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "lastTransitionTime": LATELY}
    limited["message"] = "the desired replica count is more than the maximum replica count"
    used = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 180}}}
    aim = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 2, "metrics": [aim]}
    status = {"currentReplicas": 2, "desiredReplicas": 2, "currentMetrics": [used], "conditions": [limited]}
    world.items.append({"kind": "HorizontalPodAutoscaler", "metadata": meta("web"), "spec": spec, "status": status})
    world.labels["deployment"] = "web"
    for p in world.pods("web"):
        p["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "100m"
        world.throttled(p, "web", 0.8)
