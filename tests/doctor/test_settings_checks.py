"""The settings themselves and what people wrote into files."""

import hashlib
from pathlib import Path

import pytest

from sre_agent.settings import variables
from sre_agent.wiring.doctor.connections import Terms
from tests.doctor.examined import BROKEN, MANAGED, OK, SKIPPED, WARNING, declared, looked, one

TOKEN = hashlib.sha256(b"ana's own").hexdigest()
PERSON = {"id": "ana", "name": "Ana", "slack": "U1", "pagerduty": "PANA001", "oidc": "ana@corp.test", "cli_token_sha256": TOKEN}
PAGERDUTY = {"PAGERDUTY_API_TOKEN": "t0ken", "PAGERDUTY_FROM_EMAIL": "agent@corp.test"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)


async def test_good_settings_and_books_are_told_with_the_hash_that_decides():
    found = await looked("settings", PAGERDUTY)
    assert found["settings.values"].status is OK
    assert found["settings.policies"].status is OK
    assert "bundle " in found["settings.policies"].found


async def test_a_variable_that_nobody_reads_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SRE_AGENT_MODUS", "auto")
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", "a command's own")
    found = await one("settings.values", PAGERDUTY)
    assert (found.status, "SRE_AGENT_MODUS" in found.found, "APPROVER" in found.found) == (WARNING, True, False)


async def test_without_a_pagerduty_key_it_says_what_will_not_start():
    assert (await one("settings.values", {})).status is WARNING


async def test_broken_policies_are_broken_and_what_stands_in_them_is_not_asked(tmp_path: Path):
    data = declared(tmp_path / "data", targets={"redis/cache": {"managd": True}})
    found = await looked("settings", {"SRE_AGENT_POLICY_DATA": data})
    assert found["settings.policies"].status is BROKEN
    assert "targets.yaml" in found["settings.policies"].found
    assert found["settings.people"].status is SKIPPED


async def test_broken_runbooks_are_broken(tmp_path: Path):
    (tmp_path / "restart.yaml").write_text("id: other\n")
    found = await one("settings.policies", {"SRE_AGENT_RUNBOOKS": str(tmp_path)})
    assert found.status is BROKEN


async def test_the_shipped_examples_are_told_as_such():
    found = await looked("settings", PAGERDUTY)
    assert "shipped example" in found["settings.people"].found
    assert "nobody can lift the kill switch" in found["settings.people"].found
    assert (found["settings.people"].status, found["settings.routing"].status) == (WARNING, WARNING)


async def test_ones_own_people_targets_and_routing_are_well(tmp_path: Path):
    data = declared(
        tmp_path / "data",
        teams={"people": [PERSON], "teams": {"platform": ["ana"], "ai-eng": ["ana"]}},
        targets={"redis/cache": MANAGED},
        routing={"receivers": {"pd-platform": "PPLAT01", "default": "PDEFLT1"}},
    )
    found = await looked("settings", {**PAGERDUTY, "SRE_AGENT_POLICY_DATA": data, "SRE_AGENT_MODE": "observe"})
    assert {r.status for name, r in found.items() if name != "settings.files"} == {OK}
    assert found["settings.targets"].found == "1 managed: redis/cache"


async def test_an_empty_team_is_told(tmp_path: Path):
    data = declared(tmp_path / "data", teams={"people": [PERSON], "teams": {"platform": ["ana"], "ai-eng": []}})
    assert "nobody is in team ai-eng" in (await one("settings.people", {"SRE_AGENT_POLICY_DATA": data})).found


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, OK),
        ({"SRE_AGENT_MODE": "off"}, WARNING),
        ({"SRE_AGENT_MODE": "approve"}, WARNING),
        ({"SRE_AGENT_MODE": "auto", "REDIS_WRITE_USERNAME": "hands", "REDIS_WRITE_PASSWORD": "pw"}, OK),
    ],
)
async def test_a_mode_without_the_means_for_it_is_told(settings, status):
    assert (await one("settings.mode", settings)).status is status


async def test_a_role_is_not_missing_what_another_one_needs():
    settings = {"SRE_AGENT_MODE": "approve"}
    assert (await one("settings.mode", settings, terms=Terms(20.0, role="worker"))).status is OK
    assert (await one("settings.mode", settings, terms=Terms(20.0, role="hands"))).status is WARNING
    assert (await one("settings.values", {}, terms=Terms(20.0, role="web"))).status is OK


async def test_acting_without_a_target_is_told():
    assert (await one("settings.targets", {})).status is OK
    assert (await one("settings.targets", {"SRE_AGENT_MODE": "approve"})).status is WARNING


async def test_files_that_settings_name_are_looked_at(tmp_path: Path):
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("{}")
    kubeconfig.chmod(0o644)
    assert (await one("settings.files", {})).status is SKIPPED
    found = await one("settings.files", {"KUBECONFIG": str(kubeconfig)})
    assert (found.status, found.todo) == (WARNING, f"chmod 600 {kubeconfig}")
    kubeconfig.chmod(0o600)
    assert (await one("settings.files", {"KUBECONFIG": str(kubeconfig)})).status is OK
    gone = await one("settings.files", {"KUBECONFIG": str(kubeconfig), "REDIS_CA": str(tmp_path / "ca.pem")})
    assert (gone.status, "REDIS_CA" in gone.found) == (BROKEN, True)
