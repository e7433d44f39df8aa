"""`sre-agent rbac`: the least a cluster must grant, and a fence that holds without this program."""

import json
from pathlib import Path

import pytest
import yaml

from sre_agent.__main__ import run
from sre_agent.execution.ledger import IntentState
from sre_agent.execution.rights import CLUSTER_SCOPED, Footprint, manifests
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.sources.kubernetes_client import LISTED, RIGHTS
from sre_agent.testing.kubernetes_api import KubernetesApi
from sre_agent.wiring import discovery
from tests.actions.restart_stage import START, Stage
from tests.cli.golden_files import assert_golden

pytestmark = pytest.mark.usefixtures("bare_environment")
VERBS = {"get", "list", "create", "patch", "update", "delete"}


def printed(capsys, *arguments: str) -> list[dict]:
    assert run(["rbac", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)["items"]


def of_kind(items: list[dict], kind: str, name: str | None = None) -> list[dict]:
    return [i for i in items if i["kind"] == kind and name in (None, i["metadata"]["name"])]


# --- the shipped actions ---


def test_the_manifests_of_the_registered_actions_are_as_reviewed(capsys):
    assert run(["rbac", "--namespace", "voice", "--namespace", "sales"]) == 0
    assert_golden("rbac.yaml", capsys.readouterr().out)


def test_yaml_and_json_say_the_same(capsys):
    assert run(["rbac", "--namespace", "voice"]) == 0
    text = capsys.readouterr().out
    assert [d for d in yaml.safe_load_all(text) if d] == printed(capsys, "--namespace", "voice")


def test_every_action_says_which_rights_and_parameters_it_takes():
    for name, action in discovery.actions().items():
        assert hasattr(action, "parameters"), f"{name}: parameters = NoParameters, or a strict model"
        assert hasattr(action, "rights"), f"{name}: rights = ((verb, API group, resource), ...), () for none"
        assert all(len(r) == 3 and r[0] in VERBS for r in action.rights), name


def test_the_reader_only_looks_and_what_it_may_list_is_what_the_code_lists():
    assert {verb for verb, _, _ in RIGHTS} == {"get", "list"}
    assert [r for r in RIGHTS if r[0] == "get"] == [("get", "", "pods/log")]
    assert len([r for r in RIGHTS if r[0] == "list"]) == len(LISTED)
    assert not any("secret" in resource for _, _, resource in RIGHTS)


def test_no_role_grants_a_wildcard_and_the_writer_writes_in_named_namespaces_only(capsys):
    items = printed(capsys, "--namespace", "voice")
    roles = of_kind(items, "Role") + of_kind(items, "ClusterRole")
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in "".join(rule["verbs"] + rule["resources"] + rule["apiGroups"])
    assert {r["metadata"]["namespace"] for r in of_kind(items, "Role")} == {"voice"}
    for role in of_kind(items, "ClusterRole", "sre-agent-write"):
        assert {r.split("/")[0] for rule in role["rules"] for r in rule["resources"]} <= CLUSTER_SCOPED
    for binding in of_kind(items, "RoleBinding") + of_kind(items, "ClusterRoleBinding"):
        (subject,) = binding["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": binding["metadata"]["name"], "namespace": "sre-agent"}


@pytest.mark.parametrize("namespace", ["kube-system", "kube-anything", "argocd", "sre-agent", 'voice"] || true || ["'])
def test_a_namespace_that_nobody_may_act_in_is_refused(namespace, capsys):
    assert run(["rbac", "--namespace", namespace]) == 1
    assert "namespace" in capsys.readouterr().err


def test_without_names_it_is_for_the_namespaces_of_managed_targets(capsys, tmp_path, monkeypatch):
    targets = """
deployment/voice/api: {managed: true, team: platform}
statefulset/queues/bull: {managed: false, team: platform}
namespace/sales: {managed: true, team: platform}
redis/cache: {managed: true, team: platform}
"""
    (tmp_path / "targets.yaml").write_text(targets)
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(tmp_path))
    assert {r["metadata"]["namespace"] for r in of_kind(printed(capsys), "Role")} == {"voice", "sales"}


def test_nothing_managed_means_that_nothing_may_be_written(capsys):
    assert run(["rbac", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    items = json.loads(out)["items"]
    assert of_kind(items, "Role") == []
    assert "nothing may be written" in err


# --- what the manifests are made of ---


def footprint(**changes) -> Footprint:
    fields = {
        "read": (("list", "", "pods"),),
        "write": (("create", "", "pods/eviction"), ("patch", "apps", "deployments"), ("patch", "", "nodes")),
        "home": "ops",
        "namespaces": ("voice",),
        "protected": ("argocd",),
        "objects": ("deployment/sre-agent", "deployment/voice/gate", "redis/own"),
    }
    return Footprint(**{**fields, **changes})


def test_rights_outside_namespaces_get_a_role_of_their_own_and_nothing_else_does():
    made = [m for _, m in manifests(footprint())]
    (wide,) = of_kind(made, "ClusterRole", "sre-agent-write")
    assert wide["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}]
    (inside,) = of_kind(made, "Role")
    assert [r["resources"] for r in inside["rules"]] == [["pods/eviction"], ["deployments"]]
    without = [m for _, m in manifests(footprint(write=(("create", "", "pods/eviction"),)))]
    assert of_kind(without, "ClusterRole", "sre-agent-write") == []


@pytest.mark.parametrize("right", [("*", "", "pods"), ("list", "", "*"), ("impersonate", "", "users"), ("escalate", "", "roles")])
def test_no_action_can_ask_for_everything(right):
    with pytest.raises(ConfigurationError, match="no right to ask for"):
        footprint(write=(right,))


def test_the_fence_sees_every_request_of_the_writer_and_fails_closed():
    made = [m for _, m in manifests(footprint())]
    (fence,) = of_kind(made, "ValidatingAdmissionPolicy")
    spec = fence["spec"]
    assert spec["failurePolicy"] == "Fail"
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert rule == {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    (mine,) = spec["matchConditions"]
    assert mine["expression"] == 'request.userInfo.username == "system:serviceaccount:ops:sre-agent-write"'
    (binding,) = of_kind(made, "ValidatingAdmissionPolicyBinding")
    assert binding["spec"] == {"policyName": fence["metadata"]["name"], "validationActions": ["Deny", "Audit"]}


REQUESTS = {
    "an eviction": (("CREATE", "", "pods", "eviction", "voice", "api-1"), True),
    "a rollout": (("UPDATE", "apps", "deployments", "", "voice", "api"), True),
    "a cordon": (("UPDATE", "", "nodes", "", "", "n1"), True),
    "asking what one may": (("CREATE", "authorization.k8s.io", "selfsubjectaccessreviews", "", "", ""), True),
    "a deletion": (("DELETE", "", "pods", "", "voice", "api-1"), False),
    "a new pod": (("CREATE", "", "pods", "", "voice", "api-1"), False),
    "a shell": (("CONNECT", "", "pods", "exec", "voice", "api-1"), False),
    "a namesake in another group": (("UPDATE", "extensions", "deployments", "", "voice", "api"), False),
    "a scale": (("UPDATE", "apps", "deployments", "scale", "voice", "api"), False),
    "a rights edit": (("CREATE", "rbac.authorization.k8s.io", "clusterrolebindings", "", "", "x"), False),
    "another namespace": (("CREATE", "", "pods", "eviction", "sales", "api-1"), False),
    "a protected namespace": (("CREATE", "", "pods", "eviction", "argocd", "api-1"), False),
    "the agent's own namespace": (("CREATE", "", "pods", "eviction", "ops", "api-1"), False),
    "the cluster's own namespace": (("CREATE", "", "pods", "eviction", "kube-system", "dns-1"), False),
    "a protected object": (("UPDATE", "apps", "deployments", "", "voice", "gate"), False),
    "a protected object anywhere": (("UPDATE", "apps", "deployments", "", "voice", "sre-agent"), False),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_the_fence_lets_through_exactly_what_actions_do_where_they_may(what):
    request, passes = REQUESTS[what]
    (fence,) = of_kind([m for _, m in manifests(footprint(namespaces=("voice", "billing")))], "ValidatingAdmissionPolicy")
    assert all(holds(v["expression"], request) for v in fence["spec"]["validations"]) is passes


def holds(expression: str, request: tuple[str, ...]) -> bool:
    """The fence's expression about a request, by a reader of the few forms of CEL that it is written in."""
    operation, group, resource, part, place, name = request
    values = {
        "request.operation": operation,
        "request.resource.group": group,
        "request.resource.resource": resource,
        "variables.part": part,
        "variables.place": place,
        "variables.name": name,
    }

    def term(text: str) -> bool:
        negated, text = text.startswith("!"), text.removeprefix("!")
        if text.startswith("(") and text.endswith(")"):
            return holds(text[1:-1], request) is not negated
        if " in " in text:
            path, _, names = text.partition(" in ")
            return (values[path] in json.loads(names)) is not negated
        if ".startsWith(" in text:
            path, _, prefix = text.partition(".startsWith(")
            return values[path].startswith(json.loads(prefix[:-1])) is not negated
        path, _, literal = text.partition(" == ")
        return (values[path] == json.loads(literal)) is not negated

    return any(all(term(t) for t in split(alternative, " && ")) for alternative in split(expression, " || "))


def split(text: str, operator: str) -> list[str]:
    """The text cut at an operator that stands outside brackets."""
    parts, depth, begin, i = [], 0, 0, 0
    while i < len(text):
        depth += (text[i] in "([") - (text[i] in ")]")
        if depth == 0 and text.startswith(operator, i):
            parts.append(text[begin:i])
            begin = i = i + len(operator)
            continue
        i += 1
    return [*parts, text[begin:]]


# --- enough, and no more ---


def granted(rights) -> frozenset[tuple[str, str]]:
    """Rights as the stand-in API server takes them."""
    return frozenset((verb, resource) for verb, _, resource in rights)


async def restarted(tmp_path: Path, write, read) -> IntentState:
    with KubernetesApi(start=START) as api:
        api.grant("hands", write, ("voice",))
        api.grant("reader", read)
        api.node("node-1")
        stage = Stage(api, tmp_path)
        try:
            intent = await stage.intent(stage.deploy())
            return (await stage.action.effect(intent, stage.bench)).state
        except SreAgentError:
            return IntentState.NOT_DONE


WRITE = granted(discovery.rights()["restart_pod"])
READ = granted(RIGHTS)


@pytest.mark.slow
async def test_what_is_granted_is_enough_for_a_restart(tmp_path):
    assert await restarted(tmp_path, WRITE, READ) is IntentState.DONE


@pytest.mark.slow
@pytest.mark.parametrize("missing", sorted(WRITE))
async def test_and_nothing_of_what_the_writer_is_granted_could_be_left_out(missing, tmp_path):
    assert await restarted(tmp_path, WRITE - {missing}, READ) is IntentState.NOT_DONE
