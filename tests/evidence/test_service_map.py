"""Services and what they mean: pods, workloads, endpoints, addresses, and what was not read."""

from sre_agent.evidence.kubernetes.service_map import ServiceMap, ports_of, target_of
from tests.detectors.neighbourhood import deployment, endpoints, pod, service, view


def test_behind_a_service_stand_its_pods_and_what_makes_them_as_findings_name_them():
    seen = ServiceMap(view(service("db"), pod("db"), pod("api"), deployment("db"), deployment("api")))
    assert seen.behind("shop", "db") == {"pod/db-5d9f8b6c57-00001", "deployment/db"}
    assert seen.behind("shop", "gone") == seen.behind("other", "db") == frozenset()


def test_a_selector_wants_all_its_labels_in_its_own_namespace_of_living_pods():
    both = service("db", {"app": "db", "role": "main"})
    right = pod("db", labels={"app": "db", "role": "main"})
    pods = [right, pod("db", 2), pod("db", 3, namespace="x", labels={"app": "db", "role": "main"})]
    done = pod("db", 4, labels={"app": "db", "role": "main"}, status={"phase": "Succeeded"})
    seen = ServiceMap(view(both, *pods, done))
    assert [p for _, p in seen.pods_of(both)] == [right]
    assert seen.pods_of(service("none", {})) == []


def test_addresses_belong_to_services_by_cluster_ip_and_by_pod():
    seen = ServiceMap(view(service("db", clusterIP="10.96.0.7"), pod("db")))
    assert seen.by_address == {"10.96.0.7": ("shop", "db"), "10.0.2.1": ("shop", "db")}


def test_a_kind_is_known_when_it_was_asked_for_or_is_there_and_not_when_it_was_cut():
    assert ServiceMap(view(kinds=["Ingress"])).knows("Ingress")
    assert ServiceMap(view(service("db"))).knows("Service")
    assert not ServiceMap(view(service("db"))).knows("Pod")
    cut = ServiceMap(view(service("db"), pod("db"), truncated=True))
    assert (cut.knows("Service"), cut.whole) == (False, False)


def test_endpoints_without_an_object_are_unknown_and_ports_are_read_as_the_api_defaults_them():
    seen = ServiceMap(view(service("db"), service("api"), endpoints("api", 2, 1)))
    assert seen.backends(service("db")) is None
    assert (seen.backends(service("api")).ready, seen.backends(service("api")).waiting) == (2, 1)
    assert [target_of(p) for p in ({"port": 80}, {"port": 80, "targetPort": "http"}, {"port": 80, "targetPort": "81"})] == [
        80,
        "http",
        81,
    ]
    sidecar = pod(
        "db", initContainers=[{"restartPolicy": "Always", "ports": [{"containerPort": 15001}]}, {"ports": [{"containerPort": 1}]}]
    )
    assert ports_of(sidecar) == (("http", 8080), ("", 15001))
