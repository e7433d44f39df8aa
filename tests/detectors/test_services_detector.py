"""Services behind which nothing answers, and those that only look like it."""

import pytest

from sre_agent.detectors.network.services import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason
from tests.detectors.neighbourhood import deployment, endpoints, only, pod, service, variables, view


def test_a_service_with_ready_pods_that_listen_is_silent():
    assert detect(view(service("api"), pod("api"), endpoints("api", 1))) == ()
    assert detect(view(service("api"), pod("api"))) == ()


def test_a_selector_that_no_pod_carries_names_the_workload_that_was_meant():
    wrong = service("redis", {"app": "rediss"})
    found = only(detect(view(wrong, deployment("redis"), pod("redis"), endpoints("redis"))))
    assert (found.kind, found.object, found.namespace) == (K.SERVICE_SELECTOR_MISMATCH, "service/redis", "shop")
    assert found.strength >= 0.8
    assert "selects app=rediss" in found.cause
    assert "deployment redis carry app=redis" in found.cause


def test_one_label_of_two_that_differs_is_a_mismatch_too():
    wrong = service("front", {"tier": "web", "track": "stable"})
    found = only(detect(view(wrong, deployment("www", {"tier": "web", "track": "canary"}))))
    assert (found.kind, found.strength >= 0.8) == (K.SERVICE_SELECTOR_MISMATCH, True)
    assert "deployment www carry tier=web,track=canary" in found.cause


def test_a_spare_service_for_replicas_that_do_not_exist_is_only_context():
    cluster = deployment("pg", {"cluster": "pg", "role": "master"})
    both = [service(f"pg{s}", {"cluster": "pg", "role": r}) for s, r in (("", "master"), ("-repl", "replica"))]
    found = only(detect(view(cluster, pod("pg", labels={"cluster": "pg", "role": "master"}), *both)))
    assert (found.object, found.strength < 0.5) == ("service/pg-repl", True)


def test_the_same_spare_matters_when_somebody_is_told_to_call_it():
    cluster = deployment("pg", {"cluster": "pg", "role": "master"})
    both = [service(f"pg{s}", {"cluster": "pg", "role": r}) for s, r in (("", "master"), ("-repl", "replica"))]
    caller = pod("api", container=variables(DB_HOST="pg-repl"))
    found = detect(view(cluster, pod("pg", labels={"cluster": "pg", "role": "master"}), caller, *both))
    assert [(f.object, f.strength >= 0.8) for f in found] == [("service/pg-repl", True)]


def test_pods_that_are_not_ready_make_their_service_a_symptom():
    found = only(detect(view(service("api"), deployment("api"), pod("api", up=False), endpoints("api", waiting=1))))
    assert (found.kind, found.strength < 0.5) == (K.SERVICE_NO_ENDPOINTS, True)
    assert "none of its pods is ready (1: api-" in found.cause


def test_a_workload_without_pods_makes_its_service_a_symptom_and_says_why():
    found = only(detect(view(service("api"), deployment("api", replicas=0, ready=0), endpoints("api"))))
    assert (found.kind, found.strength < 0.5) == (K.SERVICE_NO_ENDPOINTS, True)
    assert "set to 0 replicas" in found.cause


@pytest.mark.parametrize(
    "needs",
    [
        {"objects": [pod("web", container=variables(URL="http://cache:80/"))]},
        {"calls": [("web", "cache")]},
        {"labels": {"service": "cache"}},
        {"objects": [{"kind": "Ingress", "metadata": {"name": "i", "namespace": "shop"},
                      "spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "cache"}}}]}}]}}]},
    ],
)  # fmt: skip
def test_a_service_that_somebody_needs_and_nobody_makes_is_strong(needs):
    objects = [service("cache", {"app": "zzz"}), *needs.pop("objects", ())]
    found = only([f for f in detect(view(*objects, kinds=["Pod"], **needs)) if f.object == "service/cache"])
    assert (found.kind, found.strength) == (K.SERVICE_NO_ENDPOINTS, 0.8)
    assert detect(view(service("cache", {"app": "zzz"}), kinds=["Pod"]))[0].strength < 0.5


def test_endpoints_outrank_a_list_of_pods_that_was_cut():
    assert detect(view(service("api"), truncated=True, kinds=["Pod"])) == ()
    assert detect(view(service("api"))) == ()  # nobody asked for pods
    assert detect(view(service("api"), endpoints("api", 2), truncated=True)) == ()
    assert len(detect(view(service("api"), endpoints("api"), truncated=True))) == 1


def test_slices_count_as_endpoints_and_an_unstated_condition_counts_as_ready():
    piece = {
        "kind": "EndpointSlice",
        "metadata": {"name": "api-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "api"}},
    }
    assert detect(view(service("api"), {**piece, "endpoints": [{"addresses": ["10.0.0.1"]}]})) == ()
    down = {**piece, "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]}
    assert detect(view(service("api"), down)) == ()  # pods are there, and are told elsewhere
    assert len(detect(view(service("api"), {**piece, "endpoints": []}))) == 1


def test_services_without_a_selector_and_names_of_outside_are_nobody_s_fault():
    assert detect(view(service("ext", {}), service("db", type="ExternalName"), endpoints("ext"))) == ()


def test_a_target_port_on_which_no_pod_listens_is_named_with_those_they_have():
    found = only(detect(view(service("api", ports=((80, 9999),)), pod("api"), endpoints("api", 1))))
    assert (found.kind, found.reason, found.strength) == (K.SERVICE_PORT_MISMATCH, FindingReason.PORT_WRONG, 0.75)
    assert "port 9999" in found.cause
    assert "8080 (http)" in found.cause
    named = only(detect(view(service("api", ports=((80, "web"),)), pod("api"))))
    assert (named.strength, "port named web" in named.cause) == (0.85, True)


def test_a_named_target_port_is_told_even_when_the_endpoints_are_empty_because_of_it():
    found = only(detect(view(service("api", ports=((80, "web"),)), pod("api"), endpoints("api"))))
    assert found.kind is K.SERVICE_PORT_MISMATCH


@pytest.mark.parametrize(
    "container",
    [
        {"readinessProbe": {"httpGet": {"port": 9000}}},
        {"args": ["--listen=:9000"]},
        {"command": ["serve", "--port", "9000"]},
        variables(PORT="9000"),
        {"ports": []},
    ],
)
def test_a_port_that_is_open_without_being_declared_is_left_alone(container):
    assert detect(view(service("api", ports=((80, 9000),)), pod("api", container=container))) == ()


def test_one_undeclared_port_beside_a_good_one_is_only_context():
    found = only(detect(view(service("api", ports=((80, 8080), (9090, 9090))), pod("api"))))
    assert found.strength < 0.5
    assert detect(view(service("api", ports=((80, 9999),), clusterIP="None"), pod("api"))) == ()


def test_a_target_port_that_is_not_given_is_the_port_itself():
    made = service("api", ports=((8080, None),))
    assert detect(view(made, pod("api"))) == ()
