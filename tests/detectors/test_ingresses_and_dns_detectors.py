"""Ingresses that lead to nothing, and a DNS server without a ready pod."""

import pytest

from sre_agent.detectors.network import dns_servers, ingresses
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason
from tests.detectors.neighbourhood import endpoints, meta, only, pod, service, view


def ingress(name="web", service="api", port=None, **spec):
    backend = {"service": {"name": service, "port": {"number": 80} if port is None else port}}
    return {"kind": "Ingress", "metadata": meta("web"), "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}], **spec}}


CLASS = {"kind": "IngressClass", "metadata": {"name": "nginx"}}


def test_an_ingress_to_a_service_and_port_that_exist_is_silent():
    assert ingresses.detect(view(ingress(ingressClassName="nginx"), service("api"), CLASS)) == ()
    assert ingresses.detect(view(ingress(port={"name": "x"}), service("api", type="ExternalName"))) == ()


@pytest.mark.parametrize(
    ("made", "said", "reason"),
    [
        (ingress(service="apo"), "backend service apo does not exist", None),
        (ingress(port={"number": 8080}), "has no port 8080 (it has 80)", FindingReason.PORT_WRONG),
        (ingress(port={"name": "web"}), "has no port named web", FindingReason.PORT_WRONG),
        (ingress(ingressClassName="ngnix"), "class ngnix does not exist (there are: nginx)", None),
        (ingress(defaultBackend={"service": {"name": "gone", "port": {"number": 80}}}), "service gone does not exist", None),
    ],
)
def test_each_thing_that_an_ingress_leads_to_and_that_is_not_there_is_named(made, said, reason):
    found = only(ingresses.detect(view(made, service("api"), CLASS)))
    assert (found.kind, found.object, found.reason, found.strength) == (K.INGRESS_BROKEN, "ingress/web", reason, 0.82)
    assert said in found.cause


def test_what_was_not_read_is_not_missing():
    assert ingresses.detect(view(ingress(ingressClassName="any"))) == ()
    assert ingresses.detect(view(ingress(service="apo"), service("api"), truncated=True, kinds=["Service"])) != ()
    assert ingresses.detect(view(ingress(tls=[{"secretName": "t"}]), service("api"))) == ()


def test_a_certificate_s_secret_is_missed_only_where_secrets_were_read():
    other = {"kind": "Secret", "metadata": meta("other")}
    found = only(ingresses.detect(view(ingress(tls=[{"secretName": "t"}]), service("api"), other)))
    assert (found.reason, "secret t does not exist" in found.cause) == (FindingReason.SECRET_MISSING, True)
    assert ingresses.detect(view(ingress(tls=[{"secretName": "other"}]), service("api"), other)) == ()


# --- DNS ---


def dns_pod(up):
    return pod("coredns", up=up, namespace="kube-system", labels={"k8s-app": "kube-dns"})


def coredns(replicas=2, ready=0):
    made = meta("coredns", "kube-system", labels={"k8s-app": "kube-dns"})
    return {"kind": "Deployment", "metadata": made, "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}}


def test_a_dns_server_without_a_ready_pod_is_down():
    found = only(dns_servers.detect(view(coredns(), dns_pod(False), endpoints("kube-dns", 0, 1, "kube-system"))))
    assert (found.kind, found.object, found.namespace) == (K.DNS_SERVER_DOWN, "deployment/coredns", "kube-system")
    assert (found.strength, "none is ready" in found.cause) == (0.9, True)


def test_a_dns_server_that_was_set_to_no_replicas_is_down_and_says_so():
    assert "set to 0 replicas" in only(dns_servers.detect(view(coredns(replicas=0)))).cause


def test_one_ready_pod_or_endpoint_is_enough_and_unknown_is_not_down():
    assert dns_servers.detect(view(coredns(), dns_pod(True))) == ()
    assert dns_servers.detect(view(coredns(), dns_pod(False), endpoints("kube-dns", 1, 0, "kube-system"))) == ()
    assert dns_servers.detect(view(coredns(ready=2))) == ()
    assert dns_servers.detect(view(pod("api", up=False))) == ()


def test_an_application_that_is_called_like_a_dns_server_is_none():
    assert dns_servers.detect(view(pod("coredns", up=False, labels={"k8s-app": "kube-dns"}))) == ()
