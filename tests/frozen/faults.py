"""The faults: each changes the shop as a cluster would show it. (kinds that name it, objects that are the cause)."""

from sre_agent.evidence.finding import FindingKind as K
from tests.frozen.cluster import LATELY, ago, meta
from tests.frozen.fault import collection

FAULTS, fault = collection()


@fault({K.POD_OOM_KILLED}, "pod/cart-*", "deployment/cart")
def memory_limit(world):
    world.crashing("cart", 137, "OOMKilled")


@fault({K.POD_IMAGE_PULL_FAILED}, "pod/cart-*", "deployment/cart")
def image_that_does_not_exist(world):
    message = 'Back-off pulling image "registry.example.com/cart:9.9"'
    for p in world.waiting("cart", "ImagePullBackOff", message, which=[0]):
        world.event(p, "Failed", 'Failed to pull image "registry.example.com/cart:9.9": manifest unknown: manifest unknown')


@fault({K.POD_IMAGE_PULL_FAILED}, "pod/mailer-*", "deployment/mailer")
def registry_that_wants_a_password(world):
    for p in world.waiting("mailer", "ErrImagePull", "unauthorized: authentication required"):
        world.event(p, "Failed", 'Failed to pull image "registry.example.com/mailer:1.0": unauthorized: authentication required')


@fault({K.POD_CRASH_LOOP, K.POD_BAD_CONFIG, K.CONFIG_INVALID}, "pod/cart-*", "deployment/cart")
def missing_setting(world):
    world.crashing("cart", 1, lines=["KeyError: 'PAYMENT_KEY'", "fatal: environment variable PAYMENT_KEY is not set"])


@fault({K.POD_BAD_CONFIG}, "pod/mailer-*", "deployment/mailer")
def mistyped_command(world):
    message = 'failed to create containerd task: OCI runtime create failed: exec: "pyhton": executable file not found in $PATH'
    world.waiting(
        "mailer", "RunContainerError", message, ended={"exitCode": 128, "reason": "StartError", "message": message}, restarts=5
    )


@fault({K.POD_BAD_CONFIG}, "pod/mailer-*", "deployment/mailer")
def missing_config_map(world):
    for p in world.waiting("mailer", "CreateContainerConfigError", 'configmap "mailer-settings" not found'):
        world.event(p, "Failed", 'Error: configmap "mailer-settings" not found')


@fault({K.POD_BAD_CONFIG, K.POD_VOLUME_FAILED}, "pod/mailer-*", "deployment/mailer")
def missing_secret_in_a_volume(world):
    for p in world.waiting("mailer", "ContainerCreating"):
        world.event(p, "FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "mailer-tls" not found')


@fault({K.POD_PROBE_FAILING, K.POD_NOT_READY, K.DEPLOYMENT_DEGRADED}, "pod/cart-*", "deployment/cart")
def readiness_probe_on_the_wrong_port(world):
    for p in world.unready("cart"):
        p["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 9090}}
        world.event(
            p,
            "Unhealthy",
            'Readiness probe failed: Get "http://10.0.0.9:9090/healthz": dial tcp 10.0.0.9:9090: connect: connection refused',
        )


@fault({K.POD_PROBE_FAILING}, "pod/mailer-*", "deployment/mailer")
def liveness_probe_that_kills(world):
    for p in world.unready("mailer"):
        p["status"]["containerStatuses"][0] |= {"restartCount": 9, "state": {"running": {"startedAt": ago(minutes=1)}}}
        p["status"]["containerStatuses"][0]["lastState"] = {
            "terminated": {"exitCode": 143, "reason": "Error", "finishedAt": ago(minutes=1)}
        }
        p["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"path": "/live", "port": 80}, "timeoutSeconds": 1}
        world.event(
            p, "Unhealthy", "Liveness probe failed: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", 30
        )
        world.event(p, "Killing", "Container mailer failed liveness probe, will be restarted")


@fault({K.POD_UNSCHEDULABLE}, "pod/cart-*", "deployment/cart")
def no_cpu_left(world):
    world.unplaced("cart", "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available", which=[1])


@fault({K.POD_UNSCHEDULABLE}, "pod/cart-*", "deployment/cart")
def node_selector_that_fits_nowhere(world):
    for p in world.unplaced("cart", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."):
        p["spec"]["nodeSelector"] = {"disk": "nvme"}


@fault({K.POD_UNSCHEDULABLE, K.POD_NOT_READY}, "pod/mailer-*", "deployment/mailer")
def node_that_does_not_exist(world):
    for p in world.unready("mailer"):
        p["spec"]["nodeName"] = "extra-node"
        p["status"] = {"phase": "Pending"}


@fault({K.CLAIM_UNBOUND}, "claim/data-postgres-0")
def storage_class_that_does_not_exist(world):
    claim = world.get("PersistentVolumeClaim", "data-postgres-0")
    claim["spec"] = {"storageClassName": "fast-v2"}
    claim["status"] = {"phase": "Pending"}
    world.event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-v2" not found')
    world.unplaced("postgres", "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")


@fault({K.POD_CREATION_REFUSED}, "deployment/cart", "replicaset/cart-*")
def quota_used_up(world):
    world.unready("cart")
    world.drop(*world.pods("cart"))
    replica_set = world.get("ReplicaSet", "cart-5d9c")
    replica_set["status"] = {"replicas": 0}
    amounts = "requested: requests.cpu=100m, used: requests.cpu=2, limited: requests.cpu=2"
    said = f'pods "cart-5d9c-x" is forbidden: exceeded quota: team, {amounts}'
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": LATELY}
    world.get("Deployment", "cart")["status"]["conditions"].append(failed)
    world.event(replica_set, "FailedCreate", f"Error creating: {said}")


@fault({K.POD_CREATION_REFUSED}, "deployment/mailer", "replicaset/mailer-*")
def service_account_that_does_not_exist(world):
    world.unready("mailer")
    world.drop(*world.pods("mailer"))
    world.get("ReplicaSet", "mailer-5d9c")["status"] = {"replicas": 0}
    said = 'pods "mailer-5d9c-" is forbidden: error looking up service account shop/mailer: serviceaccount "mailer" not found'
    world.event(world.get("ReplicaSet", "mailer-5d9c"), "FailedCreate", f"Error creating: {said}")


@fault({K.SERVICE_SELECTOR_MISMATCH, K.SERVICE_NO_ENDPOINTS}, "service/cart")
def selector_with_a_typo(world):
    world.get("Service", "cart")["spec"]["selector"] = {"app": "carts"}
    world.get("Endpoints", "cart")["subsets"] = []


@fault({K.SERVICE_PORT_MISMATCH}, "service/cart")
def target_port_where_nobody_listens(world):
    world.get("Service", "cart")["spec"]["ports"] = [{"port": 8080, "targetPort": 9999, "protocol": "TCP"}]


@fault({K.WORKLOAD_SCALED_TO_ZERO}, "deployment/cart")
def scaled_to_nothing(world):
    world.drop(*world.pods("cart"))
    for kind, name in (("Deployment", "cart"), ("ReplicaSet", "cart-5d9c")):
        item = world.get(kind, name)
        item["spec"]["replicas"], item["status"] = 0, {"replicas": 0, "conditions": item["status"].get("conditions", [])}
    world.get("Endpoints", "cart")["subsets"] = []


@fault({K.NETWORK_POLICY_DENIES}, "networkpolicy/*", "service/redis")
def policy_that_lets_nobody_in(world):
    policy = {"kind": "NetworkPolicy", "metadata": meta("lock-redis", made=LATELY)}
    world.items.append(
        policy | {"spec": {"podSelector": {"matchLabels": {"app": "redis"}}, "policyTypes": ["Ingress"], "ingress": []}}
    )
    world.unready("web")
    for p in world.pods("web"):
        world.event(p, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
        world.logs[p["metadata"]["name"], "web"] = [f"{ago(minutes=2)} ERROR redis: dial tcp 10.1.0.1:6379: i/o timeout"] * 5


@fault({K.POD_INIT_FAILED}, "pod/mailer-*", "deployment/mailer")
def init_container_that_fails(world):
    for p in world.waiting("mailer", "PodInitializing"):
        p["spec"]["initContainers"] = [{"name": "migrate", "image": "registry.example.com/migrate:1"}]
        ended = {"exitCode": 1, "reason": "Error", "finishedAt": ago(minutes=2), "startedAt": ago(minutes=2)}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        p["status"]["initContainerStatuses"] = [
            {"name": "migrate", "ready": False, "restartCount": 6, "state": state, "lastState": {"terminated": ended}, "image": "x"}
        ]
        world.event(p, "BackOff", "Back-off restarting failed container migrate")


@fault({K.NODE_NOT_READY}, "node/n1")
def silent_node(world):
    for c in world.get("Node", "n1")["status"]["conditions"]:
        c |= {
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": LATELY,
        }
    for app in ("web", "cart", "redis", "mailer", "postgres"):
        here = [i for i, p in enumerate(world.pods(app)) if p["spec"]["nodeName"] == "n1"]
        if here:
            world.unready(app, here)


@fault({K.NODE_PRESSURE}, "node/n2")
def full_disk_of_a_node(world):
    for c in world.get("Node", "n2")["status"]["conditions"]:
        if c["type"] == "DiskPressure":
            c |= {"status": "True", "reason": "KubeletHasDiskPressure", "lastTransitionTime": LATELY}
    for p in world.pods("redis"):
        p["spec"]["nodeName"] = "n2"
        p["status"] = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage.",
            "startTime": LATELY,
        }
        world.event(p, "Evicted", "The node was low on resource: ephemeral-storage.", 1)


@fault({K.NODE_CORDONED, K.POD_UNSCHEDULABLE}, "node/*", "pod/cart-*", "deployment/cart")
def cordoned_nodes(world):
    for name in ("n1", "n2", "n3"):
        world.get("Node", name)["spec"] = {
            "unschedulable": True,
            "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
        }
    world.unplaced("cart", "0/3 nodes are available: 3 node(s) were unschedulable.", which=[0])


@fault({K.JOB_FAILED}, "job/nightly")
def job_out_of_retries(world):
    job = {"kind": "Job", "metadata": meta("nightly", made=LATELY), "spec": {"backoffLimit": 2}}
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }
    world.items.append(job | {"status": {"failed": 3, "conditions": [failed | {"lastTransitionTime": ago(minutes=3)}]}})
    world.event(world.get("Job", "nightly"), "BackoffLimitExceeded", "Job has reached the specified backoff limit", 1)


@fault({K.POD_CRASH_LOOP, K.POD_BAD_CONFIG}, "pod/postgres-0", "statefulset/postgres")
def database_that_crashes_and_its_client(world):
    world.crashing("postgres", 1, lines=['FATAL: could not create lock file "postmaster.pid": No space left on device'])
    world.crashing(
        "cart", 1, lines=["psycopg.OperationalError: connection refused: is the server running on host postgres port 5432?"]
    )


@fault(
    {K.DEPENDENCY_ADDRESS_WRONG, K.POD_CRASH_LOOP, K.DNS_FAILING},
    "pod/cart-*",
    "deployment/cart",
    "app/postgress",
    "service/postgres",
)
def host_with_a_typo(world):
    for p in world.crashing("cart", 1, lines=["could not translate host name postgress to address: Name or service not known"] * 3):
        p["spec"]["containers"][0]["env"][0]["value"] = "postgress"


@fault({K.POD_VOLUME_FAILED}, "pod/postgres-0", "statefulset/postgres", "claim/data-postgres-0")
def volume_on_another_node(world):
    for p in world.waiting("postgres", "ContainerCreating"):
        said = 'Multi-Attach error for volume "pv-1" Volume is already exclusively attached to one node'
        world.event(p, "FailedAttachVolume", said)


@fault({K.DNS_SERVER_DOWN, K.POD_CRASH_LOOP}, "deployment/coredns", "pod/coredns-*", "service/coredns")
def name_server_down(world):
    world.labels = {**world.labels, "namespace": "kube-system"}
    world.crashing("coredns", 1)


@fault({K.INGRESS_BROKEN}, "ingress/front")
def ingress_to_nothing(world):
    backend = {"service": {"name": "webb", "port": {"number": 80}}}
    rules = [{"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    world.items.append(
        {"kind": "Ingress", "metadata": meta("front", made=LATELY), "spec": {"ingressClassName": "nginx", "rules": rules}}
    )
    world.items.append({"kind": "IngressClass", "metadata": meta("nginx", namespace="")})


@fault({K.ROLLOUT_REGRESSION, K.POD_CRASH_LOOP}, "deployment/cart", "pod/cart-*")
def new_revision_that_crashes(world):
    deployment, old = world.get("Deployment", "cart"), world.get("ReplicaSet", "cart-5d9c")
    new = {**old, "metadata": {**old["metadata"], "name": "cart-7f7f", "uid": "uid-new", "creationTimestamp": ago(minutes=15)}}
    new["metadata"] |= {
        "labels": {"app": "cart", "pod-template-hash": "7f7f"},
        "annotations": {"deployment.kubernetes.io/revision": "2"},
    }
    new["spec"] = {**old["spec"], "replicas": 1}
    new["status"] = {"replicas": 1, "readyReplicas": 0}
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    [first, _] = world.crashing("cart", 1, which=[0]) + world.pods("cart")[1:]
    owner = {"kind": "ReplicaSet", "name": "cart-7f7f", "uid": "uid-new", "controller": True}
    first["metadata"] |= {
        "name": "cart-7f7f-0",
        "uid": "uid-new-0",
        "ownerReferences": [owner],
        "creationTimestamp": ago(minutes=15),
    }
    first["metadata"]["labels"] = {"app": "cart", "pod-template-hash": "7f7f"}
    world.items.append(new)
