"""The detectors of the neighbourhood on input that is malformed, doubled or enormous: they skip and stay fast, and never raise."""

import time

import pytest

from sre_agent.detectors.kubernetes import node_metrics, node_room, nodes
from sre_agent.detectors.network import (
    certificates,
    dependencies,
    dependency_addresses,
    dns_servers,
    ingresses,
    network_policies,
    services,
)
from tests.detectors.neighbourhood import deployment, endpoints, log, meta, pod, service, variables, view

DETECTORS = [
    module.detect
    for module in (
        certificates, dependencies, dependency_addresses, dns_servers, ingresses, network_policies, node_metrics, node_room, nodes,
        services,
    )
]  # fmt: skip
KINDS = (
    "Pod", "Service", "Endpoints", "EndpointSlice", "NetworkPolicy", "Ingress", "IngressClass", "Node", "Deployment", "ConfigMap",
    "Namespace", "Secret", "Event", "Certificate",
)  # fmt: skip
ODD = (None, 3, "text", [], [None], [3], ["x"], {}, {"x": None}, {"": [{}]}, True, -1, 1e308)


def broken(kind):
    """Objects of a kind with one part after another of a shape that nobody expects."""
    named = meta("x")
    for odd in ODD:
        yield {"kind": kind, "metadata": odd}
        yield {"kind": kind, "metadata": {**named, "labels": odd, "ownerReferences": odd, "annotations": odd}}
        yield {"kind": kind, "metadata": named, "spec": odd, "status": odd, "subsets": odd, "endpoints": odd, "data": odd}
        for part in (
            "selector",
            "ports",
            "template",
            "containers",
            "rules",
            "ingress",
            "egress",
            "podSelector",
            "policyTypes",
            "tls",
        ):
            yield {"kind": kind, "metadata": named, "spec": {"podSelector": {}, part: odd}, "status": {"phase": "Pending"}}
        yield {"kind": kind, "metadata": named, "status": {"conditions": odd, "allocatable": odd, "phase": odd}}
        yield {"kind": kind, "metadata": named, "spec": {"containers": [{"env": odd, "ports": odd, "envFrom": odd, "args": odd}]}}
        yield {
            "kind": kind,
            "metadata": named,
            "spec": {"rules": [{"http": {"paths": odd}}], "ports": [odd], "selector": {"a": odd}},
        }
        rule = {"from": odd, "to": odd, "ports": odd}
        yield {"kind": kind, "metadata": named, "spec": {"podSelector": odd, "ingress": [rule], "egress": [rule]}}


@pytest.mark.parametrize("kind", KINDS)
def test_no_shape_of_any_object_makes_a_detector_raise(kind):
    well = [service("api"), pod("api", container=variables(U="http://db:80")), service("db"), pod("db"), deployment("db")]
    for odd in broken(kind):
        seen = view(*well, odd, logs=[log(["dial tcp db:5432: connection refused"] * 2)])
        for detect in DETECTORS:
            assert {i for f in detect(seen) for i in f.evidence} <= {"e1", "e2"}


def test_doubled_objects_change_nothing():
    once = [service("redis", {"app": "rediss"}), deployment("redis"), pod("redis"), endpoints("redis")]
    for detect in DETECTORS:
        assert detect(view(*once)) == detect(view(*once, *once))


def test_five_thousand_objects_take_no_longer_than_a_blink():
    crowd = [pod(f"a{i}", container=variables(U=f"http://a{(i + 1) % 1500}:80")) for i in range(1_500)]
    crowd += [service(f"a{i}") if i % 3 else service(f"a{i}", {"app": f"b{i}"}) for i in range(1_500)]
    crowd += [deployment(f"a{i}") for i in range(1_500)]
    crowd += [
        {"kind": "NetworkPolicy", "metadata": meta(f"p{i}"), "spec": {"podSelector": {"matchLabels": {"app": f"a{i}"}}}}
        for i in range(500)
    ]
    seen = view(*crowd)
    began = time.process_time()
    for detect in DETECTORS:
        detect(seen)
    assert time.process_time() - began < 1.0  # 0.21 to 0.23 s measured beside busy neighbours
