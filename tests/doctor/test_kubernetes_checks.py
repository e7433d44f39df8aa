"""Rights in a cluster, asked of the stand-in API server through real kubeconfigs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent.testing.kubernetes.access import EVERYTHING, READ
from sre_agent.testing.kubernetes.faults import Fault, FaultKind
from sre_agent.testing.kubernetes_api import KubernetesApi
from tests.doctor.examined import BROKEN, MANAGED, OK, SKIPPED, WARNING, declared, looked, one

WRITES = {
    ("create", "pods/eviction"),
    ("get", "pods/log"),
    ("patch", "deployments"),
    ("patch", "deployments/scale"),
    ("patch", "nodes"),
}


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    with KubernetesApi() as server:
        server.grant("hands", WRITES)
        yield server


@pytest.fixture
def settings(api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    targets = {"deployment/voice/api": MANAGED, "namespace/sales": MANAGED, "redis/cache": MANAGED}
    return {
        "KUBECONFIG": str(api.kubeconfig(tmp_path / "read")),
        "SRE_AGENT_WRITE_KUBECONFIG": str(api.kubeconfig(tmp_path / "write", "hands")),
        "SRE_AGENT_POLICY_DATA": declared(tmp_path / "data", targets=targets),
    }


async def test_two_identities_that_may_what_they_need_and_no_more(api, settings):
    found = await looked("kubernetes", settings)
    assert {n: (r.status, r.found) for n, r in found.items() if r.status is not OK} == {}
    assert found["kubernetes.reachable"].found == "API server v1.36.0-standin"
    assert "in sales, voice" in found["kubernetes.writes"].found


async def test_only_questions_are_asked(api, settings):
    await looked("kubernetes", settings)
    assert {(s.method, s.path) for s in api.requests} == {
        ("GET", "/version/"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    }


async def test_a_kind_that_cannot_be_read_is_named(api, settings):
    api.grant("reader", {("list", "pods"), ("get", "pods/log")})
    found = await one("kubernetes.reads", settings)
    assert found.status is BROKEN
    assert "list events" in found.found
    assert "list pods" not in found.found
    assert "sre-agent rbac" in found.todo


async def test_a_right_of_an_action_is_named_with_the_action_and_the_namespace(api, settings):
    api.grant("hands", WRITES - {("patch", "deployments/scale")})
    found = await one("kubernetes.writes", settings)
    assert found.status is BROKEN
    assert "patch deployments/scale.apps in sales (for scale_up)" in found.found


async def test_rights_in_one_namespace_only_are_not_enough_for_the_other(api, settings):
    api.grant("hands", WRITES, namespaces=["voice"])
    found = await one("kubernetes.writes", settings)
    assert "create pods/eviction in sales (for restart_pod)" in found.found
    assert "in voice" not in found.found


async def test_an_identity_that_only_looks_but_could_act_is_warned_of(api, settings):
    api.grant("reader", EVERYTHING)
    found = await one("kubernetes.apart", settings)
    assert found.status is WARNING
    assert "patch deployments.apps in voice" in found.found


async def test_the_same_credentials_twice_are_warned_of(api, settings, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(Path(settings["KUBECONFIG"]).read_bytes())
    found = await one("kubernetes.apart", {**settings, "SRE_AGENT_WRITE_KUBECONFIG": str(copy)})
    assert (found.status, "same credentials" in found.found) == (WARNING, True)


async def test_without_a_managed_namespace_it_says_what_was_not_asked(api, settings, tmp_path):
    data = declared(tmp_path / "none", targets={})
    assert (await one("kubernetes.writes", {**settings, "SRE_AGENT_POLICY_DATA": data})).status is WARNING


@pytest.mark.parametrize("kind", [FaultKind.ERROR_500, FaultKind.UNAUTHORIZED, FaultKind.HTML, FaultKind.DROP_BEFORE])
async def test_an_api_server_that_fails_or_lies_is_broken(api, settings, kind):
    api.grant("reader", READ)
    api.faults.append(Fault(kind, times=999))
    found = await looked("kubernetes", settings)
    assert found["kubernetes.reachable"].status is BROKEN
    assert found["kubernetes.writes"].status is BROKEN
    assert {found["kubernetes.reads"].status, found["kubernetes.apart"].status} == {SKIPPED}


async def test_a_kubeconfig_that_is_none_is_broken(settings, tmp_path):
    (tmp_path / "odd").write_text("not: [a kubeconfig")
    odd = str(tmp_path / "odd")
    found = await looked("kubernetes", {**settings, "KUBECONFIG": odd, "SRE_AGENT_WRITE_KUBECONFIG": odd})
    assert {found["kubernetes.reachable"].status, found["kubernetes.writes"].status} == {BROKEN}


async def test_outside_a_cluster_without_a_kubeconfig_it_is_skipped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert {r.status for n, r in (await looked("kubernetes", {})).items() if n.startswith("kubernetes")} == {SKIPPED}
