"""`sre-agent replay` under a candidate: what is printed, in which order, and the exit status that a build goes by."""

import json
import shutil
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.testing.openai import OpenAIStandIn, answers
from sre_agent.wiring.candidate import Candidate, drafted
from sre_agent.wiring.replaying import Crew, Found, setup_of
from tests.cli.rules import append, edit

ROOT = Path(__file__).parents[2]
INCIDENTS = ROOT / "tests/incidents"
SLOW = INCIDENTS / "redis-slow-primary"
PODS = INCIDENTS / "pod-crash-loop"
pytestmark = pytest.mark.usefixtures("bare_environment")

TWO_PEOPLE = "unless { context.approvals >= 2 };"
ONE_PERSON = "unless { context.approvals >= 1 };"
NOBODY_TO_CASES = """
@id("deny-all-restarts")
@outcome("deny")
@reason("not this week")
forbid (principal, action == Sre::Action::"restart_pod", resource);
"""


@pytest.fixture
def said(capfd):
    """As of conftest.py; JSON goes to the descriptor itself."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run([str(a) for a in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err, err
        return status, out, err

    return call


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks"))


def test_a_loosened_policy_makes_a_real_case_more_permissive_and_stops_the_build(said, folder) -> None:
    edit(folder / "deny_safety.cedar", TWO_PEOPLE, ONE_PERSON)
    status, out, err = said("replay", SLOW, INCIDENTS / "healthy", "--policy", folder)
    assert status == 3
    assert "DANGEROUS: more permissive: redis-slow-primary: fewer people have to agree: 1 person, not 2 people" in out
    assert "decided by   grant-redis-failover, tier-failover-two" in out
    assert "healthy" not in out
    assert out.endswith("1 of 2 cases would be judged differently: 1 more permissive\n")
    assert "only a draft: " in err  # its own self-test notices it too


def test_a_tightened_policy_is_told_and_passes(said, folder) -> None:
    append(folder / "deny_safety.cedar", NOBODY_TO_CASES)
    status, out, _ = said("replay", PODS, SLOW, "--policy", folder)
    assert status == 0, out
    assert "less permissive: pod-crash-loop" in out
    assert "DANGEROUS" not in out
    assert "deny-all-restarts" in out


def test_the_policies_in_force_and_policies_on_trial_differ_in_nothing(said, folder) -> None:
    append(folder / "shadow/stricter_evidence.cedar", NOBODY_TO_CASES)
    for candidate in (ROOT / "policies", folder):
        status, out, _ = said("replay", PODS, "--policy", candidate)
        assert (status, out) == (0, "0 of 1 cases would be judged differently\n")


def test_standard_output_holds_the_objects_alone_and_the_same_bytes_whoever_works(said, folder) -> None:
    edit(folder / "deny_safety.cedar", TWO_PEOPLE, ONE_PERSON)
    append(folder / "deny_safety.cedar", NOBODY_TO_CASES)
    command = ("replay", PODS, INCIDENTS / "healthy", SLOW, "--policy", folder, "--json", "-")
    status, out, err = said(*command, "--jobs", 1)
    first, second = (json.loads(line) for line in out.splitlines())
    assert status == 3
    assert (first["case"], first["kind"], first["dangerous"]) == ("redis-slow-primary", "more_permissive", True)
    assert (second["case"], second["kind"], second["dangerous"]) == ("pod-crash-loop", "less_permissive", False)
    assert first["before"]["bundle"] != first["after"]["bundle"]
    assert "2 of 3 cases" in err
    assert said(*command, "--jobs", 2)[:2] == (status, out)


def test_a_broken_candidate_is_wrong_usage_and_says_where(said, folder, runbooks, tmp_path) -> None:
    edit(folder / "grants.cedar", "permit (", "permitt (")
    status, out, err = said("replay", SLOW, "--policy", folder)
    assert (status, out) == (2, "")
    assert f"{folder}/grants.cedar:" in err
    append(runbooks / "restart-pod.yaml", "\nunheard_of: 1\n")
    status, out, err = said("replay", SLOW, "--runbooks", runbooks)
    assert (status, out) == (2, "")
    assert f"{runbooks}/restart-pod.yaml:" in err
    assert said("replay", SLOW, "--policy", tmp_path / "nowhere")[0] == 2


def test_a_model_that_doubts_makes_a_case_less_permissive_and_can_never_make_one_more(said, monkeypatch) -> None:
    doubts = {"statements": [], "alert_class": "infra", "confidence_percent": 90, "veto": "a backup runs", "runbook": None}
    for answer, printed in ((doubts, "less permissive: redis-slow-primary"), ({**doubts, "veto": None}, "")):
        with OpenAIStandIn([answers(answer)]) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "k")
            status, out, err = said("replay", SLOW, "--model", "stand-in", "--max-usd", "1")
            assert {body["model"] for body in server.requests} == {"stand-in"}, (status, out, err)
        assert status == 0
        assert printed in out
        assert "DANGEROUS" not in out


def test_recordings_keep_what_their_model_said_so_another_model_cannot_be_compared_on_them(said, monkeypatch) -> None:
    monkeypatch.setenv("SRE_AGENT_REASONER", "rules")
    for words in ((SLOW, "--as-recorded"), ("--incident", "Q1")):
        status, out, err = said("replay", *words, "--model", "gpt-x")
        assert (status, out) == (2, "")
        assert "--as-recorded" in err


@pytest.mark.parametrize("name", ["gpt-x", "", " "])
def test_a_model_that_cannot_be_asked_is_wrong_usage(name: str, said) -> None:
    status, out, err = said("replay", SLOW, "--model", name)
    assert (status, out) == (2, "")
    assert "the model" in err


def test_a_runbook_that_is_gone_leaves_its_incidents_to_people(said, runbooks) -> None:
    (runbooks / "redis-failover.yaml").unlink()
    status, out, _ = said("replay", SLOW, "--runbooks", runbooks)
    assert status == 0
    assert "less permissive: redis-slow-primary" in out
    assert "-> no-runbook" in out


def test_a_case_that_fails_is_told_and_the_worse_news_decides_the_status(said, folder, tmp_path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/case.json").write_text("{}")
    status, out, err = said("replay", tmp_path / "broken", SLOW, "--policy", folder)
    assert (status, "1 failed" in out, "failed: broken/case.json" in err) == (1, True, True)
    edit(folder / "deny_safety.cedar", TWO_PEOPLE, ONE_PERSON)
    assert said("replay", tmp_path / "broken", SLOW, "--policy", folder)[0] == 3


def test_a_copy_of_the_policies_is_judged_on_the_deployments_own_data(said, folder, tmp_path, monkeypatch) -> None:
    """Its shipped data must not stand before it: what this deployment protects and manages would be another."""
    own = tmp_path / "own"
    own.mkdir()
    shipped = (folder / "data/protected.yaml").read_text()
    (own / "protected.yaml").write_text(shipped.replace("  - argocd\n", "  - argocd\n  - voice\n"))
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(own))
    status, out, err = said("replay", PODS, "--policy", folder)
    assert (status, out, err) == (0, "0 of 1 cases would be judged differently\n", "")
    assert "deny-target-protected" in said("replay", PODS)[1]


def test_data_that_was_edited_in_the_candidate_counts(said, folder) -> None:
    edit(folder / "data/protected.yaml", "  - argocd\n", "  - argocd\n  - voice\n")
    status, out, err = said("replay", PODS, "--policy", folder)
    assert status == 0
    assert "less permissive: pod-crash-loop" in out
    assert f"{folder}: its own data: protected.yaml" in err


def test_rules_without_data_stand_on_the_data_in_force(said, folder) -> None:
    shutil.rmtree(folder / "data")
    assert said("replay", PODS, "--policy", folder)[:2] == (0, "0 of 1 cases would be judged differently\n")


def test_a_worker_that_starts_from_nothing_loads_the_same_candidate(folder, runbooks) -> None:
    from sre_agent.settings import Reasoner, load

    edit(folder / "deny_safety.cedar", TWO_PEOPLE, ONE_PERSON)
    (runbooks / "restart-pod.yaml").unlink()
    settings = load().model_copy(update={"reasoner": Reasoner.RULES})
    setup = drafted(settings, Candidate(policies=folder, runbooks=runbooks)).setup
    again = setup.again()
    assert again.books.bundle.hash == setup.books.bundle.hash != setup_of(settings).books.bundle.hash
    assert again.books.runbooks.keys() == setup.books.runbooks.keys()
    ((before, after),) = Crew((setup_of(settings), again), 1).run([Found(place="x", folder=SLOW)])
    assert (before.result.approvals_required, after.result.approvals_required) == (2, 1)
