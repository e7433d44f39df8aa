"""Texts of other tools, read back by their form: listings, manifests, descriptions, logs, series; and what is none of them."""

import json

import pytest

from sre_agent.evidence.told.described import described
from sre_agent.evidence.told.kinds import kind_of
from sre_agent.evidence.told.manifest import documents, objects_of
from sre_agent.evidence.told.plain import unwrapped
from sre_agent.evidence.told.reading import told_by
from sre_agent.evidence.told.rows import listed

PODS = """\
NAME     READY   STATUS              RESTARTS       AGE   IP         NODE     NOMINATED NODE   READINESS GATES   LABELS
cart-1   1/1     Running             0              22h   10.0.0.4   node-a   <none>           <none>            app=cart,tier=web
mail-1   0/1     CrashLoopBackOff    7 (2m1s ago)   22h   10.0.0.5   node-a   <none>           <none>            app=mail
pay-1    0/2     Init:ErrImagePull   0              3m    10.0.0.6   node-b   <none>           <none>            <none>
late-1   0/1     Pending             0              9m    <none>     <none>   <none>           <none>            <none>
gone-1   0/1     Evicted             0              9m    <none>     node-b   <none>           <none>            <none>
"""


def told(operation, output, **args):
    return told_by({"source": "kubernetes", "operation": operation, "args": args, "output": output})


def by_name(items):
    return {i["metadata"]["name"]: i for i in items}


def test_a_listing_of_pods_is_read_row_by_row():
    pods = by_name(told("kubectl_get_by_kind_in_namespace", PODS, kind="pod", namespace="shop").rows)
    assert {p["metadata"]["namespace"] for p in pods.values()} == {"shop"}
    assert pods["cart-1"]["metadata"]["labels"] == {"app": "cart", "tier": "web"}
    assert pods["mail-1"]["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": ""}}
    assert pods["mail-1"]["status"]["containerStatuses"][0]["restartCount"] == 7
    assert pods["pay-1"]["status"]["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull"
    assert (pods["late-1"]["status"]["phase"], pods["late-1"]["status"]["conditions"][0]["status"]) == ("Pending", "False")
    assert (pods["gone-1"]["status"]["phase"], pods["gone-1"]["status"]["reason"]) == ("Failed", "Evicted")


def test_rows_without_heads_are_read_as_pods_and_prose_is_not():
    row = "shop   cart-1   0/1   Init:RunContainerError   3 (5s ago)   46s   10.0.0.4   node-a   <none>"
    [pod] = told("kubectl_find_resource", f"stdout:\n{row}\n\nstderr:\n", kind="pod").rows
    assert (pod["metadata"]["namespace"], pod["spec"]["nodeName"]) == ("shop", "node-a")
    assert told("kubectl_find_resource", "shop is closed 0/1 today", kind="pod").rows == ()
    assert told("kubectl_find_resource", row, kind="service").rows == ()


LISTINGS = {
    "Node": "NAME  STATUS  ROLES   AGE  VERSION\nn1    Ready   worker  9d   v1.30",
    "Service": "NAME  TYPE       CLUSTER-IP  PORT(S)         AGE\napi   ClusterIP  10.0.0.1    80/TCP,443/TCP  9d",
    "Deployment": "NAME  READY  UP-TO-DATE  AVAILABLE  AGE\napi   1/3    3           1          9d",
    "Endpoints": "NAME  ENDPOINTS  AGE\napi   <none>     9d",
}


@pytest.mark.parametrize("kind", LISTINGS)
def test_the_kind_of_a_listing_is_seen_from_its_columns(kind):
    assert [item["kind"] for item in listed(LISTINGS[kind], "", "shop")] == [kind]


def test_a_row_keeps_what_it_says_of_a_node_a_service_and_a_deployment():
    [node] = listed(
        LISTINGS["Node"].replace("Ready   ", "NotReady,SchedulingDisabled  ").replace("STATUS  ", "STATUS                       "),
        "node",
        "",
    )
    assert node["spec"] == {"unschedulable": True}
    assert node["status"]["conditions"][0]["status"] == "Unknown"
    [deployment] = listed(LISTINGS["Deployment"], "Deployment", "shop")
    assert (deployment["spec"]["replicas"], deployment["status"]["readyReplicas"]) == (3, 1)


def test_events_are_read_with_their_object_and_count():
    text = (
        "LAST SEEN               TYPE      REASON    OBJECT        MESSAGE\n"
        "3m30s (x256 over 58m)   Warning   BackOff   Pod/cart-1    Back-off restarting failed container main\n"
    )
    [event] = told("kubectl_events", text, namespace="shop").rows
    assert event["involvedObject"] == {"kind": "Pod", "name": "cart-1", "namespace": "shop"}
    assert (event["reason"], event["count"], event["message"]) == ("BackOff", 256, "Back-off restarting failed container main")


def test_a_manifest_is_read_whole_in_yaml_and_in_json():
    meta = "metadata:\n  name: cart-1\n  creationTimestamp: 2026-05-04T11:00:00Z\n"
    text = f"apiVersion: v1\nkind: Pod\n{meta}spec:\n  n: 3\n  on: true\n  none: null\n"
    [pod] = told("kubectl_get_yaml", text).whole
    assert pod["metadata"]["creationTimestamp"] == "2026-05-04T11:00:00Z"
    assert pod["spec"] == {"n": 3, "on": True, "none": None}
    both = {"apiVersion": "v1", "kind": "List", "items": [pod, {"kind": "Service", "metadata": {"name": "cart"}}]}
    assert [o["kind"] for o in told("get", json.dumps(both)).whole] == ["Pod", "Service"]


def test_yaml_that_would_unfold_without_end_is_not_read():
    bomb = "apiVersion: v1\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert documents(bomb) == []
    assert documents("apiVersion: v1\nx: " + "[" * 5_000) == []
    assert documents("x: !!python/object/apply:os.system [echo]\n") == [{"x": ["echo"]}]
    assert list(objects_of(documents("{broken"))) == []


def test_series_of_a_prometheus_answer_are_read_however_they_are_wrapped():
    row = {"metric": {"__name__": "up", "pod": "cart-1"}, "values": [[1, "0"], [2, "1"]]}
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [row]}}
    [series] = told("execute_prometheus_range_query", json.dumps(answer)).series
    assert series == {"labels": {"__name__": "up", "pod": "cart-1"}, "samples": [[1, "0"], [2, "1"]]}
    assert told("query", json.dumps({"data": {"resultType": "matrix", "result": "?"}})).series == ()


def test_a_log_is_read_without_what_the_tool_put_around_it():
    framed = "=====\nLOG QUERY METADATA\n=====\n- Pod: cart-1\n=====\n2026-05-04T11:00:00Z ERROR boom\n"
    log = told("fetch_pod_logs", framed, pod_name="cart-1", namespace="shop").log
    assert log == {
        "namespace": "shop",
        "pod": "cart-1",
        "container": "",
        "previous": False,
        "lines": ["2026-05-04T11:00:00Z ERROR boom"],
    }
    refused = (
        'Command `kubectl logs cart-1` failed with return code 1\nError from server (BadRequest): container "c" is waiting to start'
    )
    assert told("fetch_pod_logs", refused, pod_name="cart-1").log is None
    assert told("fetch_pod_logs", "line", pod_name="*").log is None


def test_standard_output_is_kept_and_standard_error_is_not():
    assert unwrapped("Command `x` failed with return code 1\nstdout:\nyes\n\nstderr:\nno\n") == "yes"
    assert unwrapped("plain") == "plain"


def test_a_description_of_a_deployment_tells_replicas_conditions_and_template():
    text = """\
Name:                   api
Namespace:              shop
Labels:                 app=api
Selector:               app=api
Replicas:               3 desired | 1 updated | 4 total | 2 available | 2 unavailable
Pod Template:
  Labels:  app=api
  Containers:
   main:
    Image:      registry.example.com/api:2
    Port:       8080/TCP
    Limits:
      nvidia.com/gpu:  1
    Environment:
      DB_HOST:  postgres
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Progressing    False   ProgressDeadlineExceeded
Events:          <none>
"""
    [made] = described(text, "Deployment")
    assert (made["spec"]["replicas"], made["status"]["unavailableReplicas"]) == (3, 2)
    assert made["status"]["conditions"][0]["reason"] == "ProgressDeadlineExceeded"
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert (container["ports"], container["env"]) == ([{"containerPort": 8080}], [{"name": "DB_HOST", "value": "postgres"}])
    assert told("describe deployment api", text).whole[0]["kind"] == "Deployment"


def test_a_described_node_keeps_its_taints_and_that_it_is_cordoned():
    taints = "Taints: gpu=true:NoSchedule\n        old:NoExecute\nUnschedulable: true\n"
    text = f"Name:   n1\nRoles:  worker\nLabels: a=b\n{taints}Allocatable:\n  cpu:  4\n  pods: 110\n"
    [node] = described(text, "Node")
    assert node["spec"]["taints"] == [{"key": "gpu", "effect": "NoSchedule"}, {"key": "old", "effect": "NoExecute"}]
    assert (node["spec"]["unschedulable"], node["status"]["allocatable"]) == (True, {"cpu": "4", "pods": "110"})


@pytest.mark.parametrize(
    ("word", "kind"), [("po", "Pod"), ("deployments.apps", "Deployment"), ("PVC", "PersistentVolumeClaim"), ("cat", ""), (None, "")]
)
def test_kinds_are_known_by_all_their_names(word, kind):
    assert kind_of(word) == kind


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"args": 3, "output": None}, {"operation": "get", "output": "\x00" * 50}, {"output": "NAME\n" * 9}]
)
def test_what_has_no_known_form_holds_nothing(payload):
    found = told_by(payload)
    assert (found.whole, found.rows, found.log, found.series) == ((), (), None, ())


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 200_000, "- " * 200_000, "a: " + "{b: " * 100_000, "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 200))],
)
def test_a_text_nested_without_end_is_no_document_and_takes_nothing_down(text: str) -> None:
    assert documents(text) == []
