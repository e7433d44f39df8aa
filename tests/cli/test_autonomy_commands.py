"""`sre-agent autonomy`: what people sign for, and what they are told, on a real database."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from sre_agent.__main__ import run
from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.testing.night.books import declare_owners

INCIDENTS = Path(__file__).parents[1] / "incidents"
TOKEN = "one person's own token"
AUTO = "modes:\n  - {action: restart_pod, service: voice-platform, mode: auto}\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ana owns what the case is about, as targets.yaml of this deployment says."""
    folder = declare_owners(tmp_path / "data", "cache", {"ana": TOKEN})
    declared = yaml.safe_load((folder / "targets.yaml").read_text())
    own = json.loads((INCIDENTS / "pod-crash-loop/targets.json").read_text())
    (folder / "targets.yaml").write_text(yaml.safe_dump(declared | own))
    (folder / "modes.yaml").write_text(AUTO)
    return folder


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A crash loop, and people who restarted that very pod."""
    return told(Path(shutil.copytree(INCIDENTS / "pod-crash-loop", tmp_path / "case")), action="restart_pod")


def told(folder: Path, *, action: str, true_class: str = "infra") -> Path:
    head = json.loads((folder / "case.json").read_text())
    pod = head["alerts"][0]["labels"]["pod"]
    did = {"at": "2026-03-17T09:40:21Z", "what": "as written", "action": action, "target": f"pod/voice/{pod}"}
    (folder / "outcome.json").write_text(json.dumps({"actions": [did], "class": true_class}))
    return folder


@pytest.fixture
def installed(bare_environment, postgres: EmbeddedPostgres, tmp_path: Path, data: Path, monkeypatch, said) -> None:
    name = f"autonomy_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    monkeypatch.setenv("DATABASE_URL", postgres.database_url(name))
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(data))
    monkeypatch.setenv("SRE_AGENT_MODE", "auto")
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", TOKEN)
    assert said("migrate")[0] == 0


@pytest.mark.usefixtures("installed")
def test_only_what_a_person_recorded_counts_and_it_counts_once(said, case: Path) -> None:
    status, out, _ = said("autonomy", "observe", case)
    assert (status, "restart_pod on voice-platform: 1 agreed\n0 of 1 recorded\n" in out) == (0, True), out
    assert "0 of 20 agreements" in said("autonomy", "show")[1]
    record = ("autonomy", "observe", case, "--record", "--as", "ana")
    assert "1 of 1 recorded" in said(*record)[1]
    assert "it counts once" in said(*record)[1]
    status, out, _ = said("autonomy", "show")
    assert re.search(r"restart_pod +voice-platform +approve +1 of 20 +0 +1 +0 .* 1 of 20 agreements, 1 of them in shadow", out), out
    assert re.search(r"restart_pod +voice-platform +approve +1 of 20 ", said("status")[1])  # the two never differ
    entry = json.loads(said("audit", "show")[1].splitlines()[-1])["entry"]
    assert (entry["kind"], entry["actor"], entry["detail"]["case"]) == ("shadow_agreed", "ana", "pod-crash-loop")
    assert len(entry["detail"]["content_sha256"]) == len(entry["detail"]["decision_sha256"]) == 64
    assert said("audit", "verify")[0] == 0


@pytest.mark.usefixtures("installed")
def test_harm_in_shadow_is_a_setback_that_show_tells(said, case: Path) -> None:
    told(case, action="restart_pod", true_class="model")
    status, out, _ = said("autonomy", "observe", case, "--record", "--as", "ana")
    assert (status, "HARMFUL" in out) == (0, True), out
    (row,) = [json.loads(line) for line in said("autonomy", "show", "--json")[1].splitlines() if line.startswith("{")]
    assert (row["action"], row["mode"], row["shadow"], row["agreements"]) == ("restart_pod", "approve", 0, "0 of 20")
    assert "would have acted" in row["last_setback"]


@pytest.mark.usefixtures("installed")
def test_without_the_persons_own_token_nothing_is_recorded(said, case: Path, monkeypatch) -> None:
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", "guessed")
    status, _, err = said("autonomy", "observe", case, "--record", "--as", "ana")
    assert (status, "does not belong to 'ana'" in err) == (1, True)
    status, _, err = said("autonomy", "outcome", "Q1", "--did", "nothing", "--as", "ana")
    assert (status, "does not belong to 'ana'" in err) == (1, True)
    assert "shadow" not in said("audit", "show")[1]


@pytest.mark.usefixtures("installed")
def test_a_case_that_declares_its_own_target_earns_nothing_here(said, case: Path, data: Path) -> None:
    """What targets.json of a case says is for the replay alone: here nobody manages that pod."""
    (data / "targets.yaml").write_text("redis/cache: {managed: true, team: platform, service: voice-platform}\n")
    status, out, _ = said("autonomy", "observe", case, "--record", "--as", "ana")
    assert (status, "no managed target of service" in out, "0 of 1 recorded" in out) == (0, True, True), out


@pytest.mark.usefixtures("bare_environment")
@pytest.mark.parametrize(
    "words",
    [
        ("observe", "/nowhere"),
        ("observe", str(INCIDENTS / "healthy"), "--record"),
        ("observe", str(INCIDENTS / "healthy"), "--as", "ana"),
        ("outcome", "Q1", "--did", "danced", "--as", "ana"),
        ("outcome", "Q1", "--did", "nothing", "--class", "weather", "--as", "ana"),
    ],
)
def test_wrong_usage_is_told_as_such(words: tuple[str, ...], capsys) -> None:
    assert run(["autonomy", *words]) == 2
    assert capsys.readouterr().out == ""
