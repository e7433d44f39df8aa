"""NetworkPolicies against calls that are expected."""

import pytest

from sre_agent.detectors.network.network_policies import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.kubernetes.network_rules import Policies, Way, directions, takes
from tests.detectors.neighbourhood import ago, deployment, meta, only, pod, service, variables, view

CALLER = pod("api", container=variables(DB_URL="postgres://u@db:80/x"))
WORLD = (CALLER, pod("db"), service("db"), service("api"), deployment("api"), deployment("db"))


def policy(name="deny", selector=None, created=None, **spec):
    made = meta(name, **({"creationTimestamp": created} if created else {"creationTimestamp": ago(days=3)}))
    return {"kind": "NetworkPolicy", "metadata": made, "spec": {"podSelector": selector or {}, **spec}}


DENY_ALL = {"policyTypes": ["Ingress"]}
NEW = ago(minutes=12)


def test_a_new_policy_that_shuts_out_a_caller_from_the_settings_is_strong_and_names_both_ends():
    found = only(detect(view(*WORLD, policy(selector={"matchLabels": {"app": "db"}}, created=NEW, **DENY_ALL))))
    assert (found.kind, found.object, found.strength) == (K.NETWORK_POLICY_DENIES, "networkpolicy/deny", 0.82)
    assert "deployment api cannot reach db on port 8080" in found.cause
    assert found.onset is not None


def test_an_old_policy_is_only_context_until_a_pod_at_one_end_is_in_trouble():
    shut = policy(selector={"matchLabels": {"app": "db"}}, **DENY_ALL)
    assert only(detect(view(*WORLD, shut))).strength < 0.5
    sick = pod("api", up=False, container=variables(DB_URL="postgres://u@db:80/x"))
    assert only(detect(view(sick, *WORLD[1:], shut))).strength == 0.82


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": [{}]},
        {"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]},
        {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8080}]}]},
        {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": "http"}]}]},
        {"ingress": [{"ports": [{"port": 8000, "endPort": 8100}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}]},
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "unknown-to-us"}}}]}]},
        {"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}}]}]},
    ],
)
def test_a_policy_that_admits_the_caller_is_silent(spec):
    assert detect(view(*WORLD, policy(selector={"matchLabels": {"app": "db"}}, created=NEW, **spec))) == ()


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]},
        {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 5432}]}]},
        {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8080, "protocol": "UDP"}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.3.0/24"]}}]}]},
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}]}]},
        {"policyTypes": ["Ingress"], "ingress": []},
    ],
)
def test_a_policy_that_admits_others_or_other_ports_denies(spec):
    found = only(detect(view(*WORLD, policy(selector={"matchLabels": {"app": "db"}}, created=NEW, **spec))))
    assert found.strength == 0.82


def test_a_workload_that_names_itself_expects_no_call():
    shut = policy(selector={"matchLabels": {"app": "api"}}, created=NEW, **DENY_ALL)
    assert detect(view(pod("api", container=variables(URL="http://api:80")), service("api"), shut)) == ()


def test_two_policies_admit_what_either_admits():
    shut = policy("deny", created=NEW, **DENY_ALL)
    opened = policy("allow", {"matchLabels": {"app": "db"}}, ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}])
    assert detect(view(*WORLD, shut, opened)) == ()


def test_a_way_out_without_dns_is_told_as_names_that_cannot_be_asked_for():
    out = policy("egress", {"matchLabels": {"app": "api"}}, NEW, policyTypes=["Egress"], egress=[{"ports": [{"port": 8080}]}])
    found = only(detect(view(*WORLD, out)))
    assert "cannot ask for names" in found.cause
    names = {"ports": [{"port": 53, "protocol": "UDP"}]}
    out["spec"]["egress"].append(names)
    assert detect(view(*WORLD, out)) == ()


def test_what_calls_nobody_may_be_cut_off_on_purpose_unless_it_hurts():
    lone = policy("egress", {"matchLabels": {"app": "db"}}, policyTypes=["Egress"])
    assert detect(view(pod("db"), lone)) == ()
    assert "cannot ask for names" in only(detect(view(pod("db", up=False), lone))).cause


def test_an_egress_policy_that_admits_nothing_names_the_call_and_the_names():
    out = policy("egress", {"matchLabels": {"app": "api"}}, NEW, policyTypes=["Egress"])
    found = only(detect(view(*WORLD, out)))
    assert "cannot reach db" in found.cause
    assert "cannot ask for names" in found.cause


def test_a_policy_of_another_namespace_or_about_pods_that_nobody_calls_is_silent():
    elsewhere = policy(created=NEW, **DENY_ALL)
    elsewhere["metadata"]["namespace"] = "other"
    uncalled = policy(selector={"matchLabels": {"app": "api"}}, created=NEW, **DENY_ALL)
    assert detect(view(*WORLD, elsewhere, uncalled)) == ()


def test_the_call_graph_and_an_ingress_imply_calls_as_settings_do():
    shut = policy(selector={"matchLabels": {"app": "db"}}, created=NEW, **DENY_ALL)
    bare = (pod("api"), *WORLD[1:])
    assert detect(view(*bare, shut)) == ()
    assert only(detect(view(*bare, shut, calls=[("api", "db")]))).strength == 0.82
    path = {"backend": {"service": {"name": "db", "port": {"number": 80}}}}
    ingress = {"kind": "Ingress", "metadata": meta("web"), "spec": {"rules": [{"http": {"paths": [path]}}]}}
    assert "ingress web cannot reach deployment db" in only(detect(view(*bare, shut, ingress))).cause
    from_outside = policy(selector={"matchLabels": {"app": "db"}}, ingress=[{"from": [{"namespaceSelector": {}}]}])
    assert detect(view(*bare, shut, from_outside, ingress)) == ()


def test_directions_are_read_as_the_api_defaults_them():
    assert [d.value for d in directions(policy())] == ["Ingress"]
    assert [d.value for d in directions(policy(egress=[]))] == ["Ingress", "Egress"]
    assert [d.value for d in directions(policy(policyTypes=["Egress"]))] == ["Egress"]


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        ({"operator": "NotIn", "values": ["a"]}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "DoesNotExist"}, False),
        ({"operator": "In", "values": None}, False),
        ({"operator": "Novel"}, True),
    ],
)
def test_label_expressions_are_read_and_unknown_words_take_everything_in(expression, held):
    assert takes({"matchExpressions": [{"key": "app", **expression}]}, {"app": "a"}) is held


def test_a_policy_is_judged_by_the_namespace_s_own_labels_where_they_are_known():
    labelled = {"shop": {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "b"}}}}
    shut = policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}])
    way = Way(CALLER, pod("db"), 8080)
    assert Policies([shut], labelled).denying(way) == [shut]
    assert Policies([shut], {}).denying(way) == []
