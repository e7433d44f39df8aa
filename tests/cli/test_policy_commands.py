"""`sre-agent policy check`, `test` and `explain`, as somebody who changes the rules uses them."""

import json
import re
from pathlib import Path

import pytest

from sre_agent.policy.load import load_bundle, load_cases
from tests.cli.rules import RULE, append, edit

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
pytestmark = pytest.mark.usefixtures("bare_environment")


# --- check ---


def test_the_shipped_policies_pass_their_check(said):
    status, out, _ = said("policy", "check")
    assert status == 0
    assert "nothing is wrong" in out
    assert load_bundle(POLICIES).hash[:12] in out


def test_check_names_every_mistake_with_file_and_line_not_only_the_first(said, folder):
    rules = folder / "deny_safety.cedar"
    edit(rules, "context.facts.halted", "context.facts.halter")
    edit(rules, "facts_age_s > 120", 'facts_age_s > "120"')
    edit(rules, '@reason("a change freeze is in force")', "")
    edit(folder / "data/teams.yaml", "[ana, ben, cleo]", "[ana, ben, clea]")
    edit(folder / "data/freezes.yaml", "tz: UTC", "tz: Mars/Olympus")
    edit(folder / "data/freezes.yaml", "to: 2027", "to: 2025")
    (folder / "data/targets.yaml").write_text("redis/cache: {managd: true, team: platform, sentinel_awar: true}\n")
    status, out, err = said("policy", "check", folder)
    assert status == 1
    assert "8 problems" in err
    wanted = {
        "deny_safety.cedar": ("did you mean 'halted'", "expected Long but saw String", "has no @reason"),
        "data/teams.yaml": ("'clea'",),
        "data/freezes.yaml": ("Mars/Olympus", "ends before it begins"),
        "data/targets.yaml": ("did you mean 'managed'", "did you mean 'sentinel_aware'"),
    }
    for name, phrases in wanted.items():
        for phrase in phrases:
            assert re.search(rf"^{re.escape(str(folder / name))}:\d+: .*{re.escape(phrase)}", out, re.MULTILINE), (phrase, out)


def test_check_compares_with_the_lock_and_runs_the_self_test(said, folder):
    edit(folder / "deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 60")
    edit(folder / "data/freezes.yaml", "2027-01-02", "2027-01-03")
    status, out, _ = said("policy", "check", folder)
    assert (status, out.count("was changed since BUNDLE.lock")) == (1, 2)
    edit(folder / "deny_safety.cedar", "when { context.facts.halted };", "when { context.facts.halted && context.facts.managed };")
    edit(folder / "tests/self_test.yaml", "facts.halted: true", "facts.halted: true, facts.managed: false")
    _, out, _ = said("policy", "check", folder)
    assert re.search(r"self_test\.yaml:\d+: the self-test failed: case 'self-test-deny'", out)


def test_check_reads_the_deployments_own_data(said, tmp_path, monkeypatch):
    (tmp_path / "targets.yaml").write_text("redis/cache: {managed: true, team: nobody}\n")
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(tmp_path))
    status, out, _ = said("policy", "check")
    assert status == 1
    assert "unknown team 'nobody'" in out


def test_a_folder_that_is_none_is_one_clear_line(said, tmp_path):
    status, out, err = said("policy", "check", tmp_path / "nowhere")
    assert (status, out.count("\n")) == (1, 1)
    assert "there is no policies folder" in out
    assert "1 problem\n" in err


# --- test ---


def test_the_shipped_cases_hold_and_leave_no_policy_out(said):
    status, out, _ = said("policy", "test")
    total = len(load_cases(POLICIES)[0])
    assert status == 0
    assert out == f"{total} of {total} cases hold\n"


def test_a_failing_case_shows_place_expected_and_actual_ids(said, folder):
    edit(folder / "deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 1200")
    status, out, _ = said("policy", "test", folder)
    at = next(i for i, line in enumerate((folder / "tests/deny.yaml").read_text().splitlines(), 1) if "evidence-too-old" in line)
    assert status == 1
    assert out.startswith(
        f"{folder}/tests/deny.yaml:{at}: case 'evidence-too-old': verdict is allow, expected deny; "
        "decided by ['grant-restart-pod'], expected ['deny-facts-stale']"
    )
    assert re.search(r"^\d+ of \d+ cases hold$", out, re.MULTILINE)


def test_a_rule_without_a_case_is_pointed_out(said, folder):
    append(folder / "deny_safety.cedar", RULE)
    status, out, _ = said("policy", "test", folder)
    assert "no case names: tier-restart-billing\n" in out
    assert status == 0


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("base: good-restrt, expect: {verdict: deny, because: []}", "did you mean 'good-restart'"),
        ("base: good-restart, given: {facts.halter: true}, expect: {verdict: deny, because: []}", "'facts.halted'"),
        ("base: good-restart, given: {declaration.manged: true}, expect: {verdict: deny, because: []}", "'declaration.managed'"),
        ("base: good-restart, given: {facts.mode: bold}, expect: {verdict: deny, because: []}", "facts.mode"),
        ("base: good-restart, expect: {verdict: allow, because: [grant-restart-pot]}", "did you mean 'grant-restart-pod'"),
        ("base: good-restart, expect: {verdict: denied, because: []}", "verdict"),
        ("base: good-restart, expects: {verdict: deny, because: []}", "did you mean 'expect'"),
    ],
)
def test_a_mistake_in_a_case_is_named_with_its_line_and_what_was_meant(case, says, said, folder):
    (folder / "tests/mine.yaml").write_text(f"# mine\n- {{id: mine, {case}}}\n")
    status, out, err = said("policy", "test", folder)
    assert status == 1
    assert says in out + err
    assert f"{folder}/tests/mine.yaml:2" in out + err


def test_an_id_used_twice_is_named_with_both_places(said, folder):
    text = "- {id: halted, base: good-restart, expect: {verdict: allow, because: [grant-restart-pod]}}\n"
    (folder / "tests/mine.yaml").write_text(text)
    _, out, _ = said("policy", "test", folder)
    assert re.search(r"mine\.yaml:1: case 'halted': this id is used already at .*deny\.yaml:3", out)


# --- explain ---


def test_explain_tells_what_would_have_to_be_different(said):
    status, out, _ = said("policy", "explain", "--case", "two-pods-over-25-percent")
    assert status == 0
    assert "verdict: deny" in out
    assert re.search(r"deny-restart-blast-radius \(deny, .*deny_safety\.cedar:\d+\)", out)
    assert "context.facts.pods_touched = 1 (now 2): then needs_approval (1 person)" in out
    assert "context.facts.pods_touched_pct = 25 (now 26): then needs_approval (1 person)" in out


def test_explain_reads_a_recorded_decision_from_a_file_or_standard_input(said, tmp_path, monkeypatch):
    import io

    from sre_agent.policy.case import situation
    from sre_agent.policy.guard import Guard

    cases, bases = load_cases(POLICIES)
    asked = situation(next(c for c in cases if c.id == "freeze-in-force"), bases)
    decision = Guard(load_bundle(POLICIES), "agent", b"").decide(asked).model_dump_json()
    path = tmp_path / "decision.json"
    path.write_text(decision)
    status, out, _ = said("policy", "explain", "--request", path, "--json")
    found = json.loads(out)
    assert (status, found["verdict"]) == (0, "deny")
    (change,) = found["deciding"][0]["changes"]
    assert (change["path"], change["now"], change["then"], change["verdict"]) == (
        "context.facts.active_freezes",
        ["year-end"],
        [],
        "allow",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"entry": {"detail": {"decision": json.loads(decision)}}})))
    assert said("policy", "explain", "--request", "-", "--json")[1] == out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "holds no request"),
        ("not json", "not JSON"),
        ('{"proposal": {}, "declaration": {}, "facts": {"halter": true}, "claims": {}}', "not a request of this version"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(text, says, said, tmp_path):
    path = tmp_path / "request.json"
    path.write_text(text)
    status, _, err = said("policy", "explain", "--request", path)
    assert status == 1
    assert f"{path}:1: " in err
    assert says in err


@pytest.mark.parametrize("arguments", [(), ("--request", "-", "--case", "halted")])
def test_explain_wants_exactly_one_thing_to_explain(arguments, said):
    assert said("policy", "explain", *arguments)[0] == 2


def test_an_unknown_case_is_answered_with_the_nearest(said):
    _, _, err = said("policy", "explain", "--case", "freeze-in-forse")
    assert "did you mean 'freeze-in-force'" in err
