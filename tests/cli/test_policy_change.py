"""`sre-agent policy diff` and `lock`: what a change of the rules means, before it decides anything."""

import json
import shutil
from pathlib import Path

import pytest

from sre_agent.incident.event import EventKind
from sre_agent.policy.difference import rejudged
from sre_agent.policy.load import examine, load_bundle, load_cases, write_lock
from sre_agent.policy.recorded import situations
from tests.cli.rules import RULE, append, edit
from tests.path.scenes import ID, incident, night

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
pytestmark = pytest.mark.usefixtures("bare_environment")


def test_a_comment_and_another_layout_are_no_difference(said, folder):
    rules = folder / "deny_safety.cedar"
    rules.write_text("// reviewed\n" + rules.read_text().replace("when {", "when  {  // why\n"))
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert (status, out) == (0, "no rule and no declaration differs\n")


def test_a_looser_rule_is_shown_with_a_request_that_only_the_new_one_allows(said, folder):
    edit(folder / "deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 1200")
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert status == 3
    assert "changed deny_safety.cedar: deny-facts-stale" in out
    request = json.loads(out[out.index("{\n") : out.index("\n}") + 2])
    assert 120 < request["facts"]["facts_age_s"] <= 1200
    assert "this request: deny (deny-facts-stale) -> allow (grant-restart-pod)  [more room]" in out


def test_a_stricter_rule_is_proved_to_give_no_room(said, folder):
    append(folder / "deny_safety.cedar", RULE)
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert status == 0
    assert "added deny_safety.cedar: tier-restart-billing" in out
    edit(folder / "deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 60")
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert status == 0
    assert "no request at all gets more room from the rules (proved)" in out


def test_more_people_who_may_approve_is_more_room(said, folder):
    edit(folder / "approvals.cedar", "when { principal in resource.owner }", "when { context.now_s >= 0 }")
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert status == 3
    assert "a yes that counts under the new rules and not under the old" in out


DATA = {
    "a target declared": ("targets.yaml", "\n{}\n", "\nredis/cache: {managed: true, team: platform}\n", 3),
    "a target mentioned and not managed": ("targets.yaml", "\n{}\n", "\nredis/cache: {team: platform}\n", 0),
    "a freeze taken away": ("freezes.yaml", "environment: prod", "environment: staging", 3),
    "a namespace no longer protected": ("protected.yaml", "  - argocd\n", "", 3),
    "another namespace protected": ("protected.yaml", "  - argocd\n", "  - argocd\n  - billing\n", 0),
    "somebody joins the team": ("teams.yaml", "[ana, ben, cleo]", "[ana, ben, cleo, dev]", 3),
    "somebody leaves the team": ("teams.yaml", "[ana, ben, cleo]", "[ana, ben]", 0),
    "another identity for a person": ("teams.yaml", "slack: U00000ANA", "slack: U00000XXX", 3),
    "another team of a receiver": ("routing.yaml", "pd-ai-eng: [ai-eng]", "pd-ai-eng: [platform]", 0),
    "a priority for what is handed back": ("handback.yaml", "\n{}\n", "\nmodel: {priority: P3}\n", 0),
    "another receiver": ("routing.yaml", 'default: ""', 'default: "PXYZ"', 0),
}


@pytest.mark.parametrize("change", DATA)
def test_a_change_of_declared_data_says_whether_it_gives_room(change, said, folder):
    name, old, new, wanted = DATA[change]
    edit(folder / "data" / name, old, new)
    status, out, _ = said("policy", "diff", POLICIES, folder)
    assert status == wanted, out
    assert f"data/{name}: " in out
    assert ("[more room]" in out) is (wanted == 3)


LISTED = "modes: [{{action: restart_pod, service: voice, mode: {}}}]"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [(None, "auto", 3), ("auto", None, 0), (None, "observe", 0), ("observe", None, 3), ("off", "approve", 3), ("auto", "off", 0)],
)
def test_a_change_of_the_mode_table_says_whether_it_gives_room(old, new, wanted, said, folder, tmp_path):
    edit(folder / "data/targets.yaml", "\n{}\n", "\nredis/cache: {managed: true, team: platform, service: voice}\n")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for place, mode in ((folder, old), (other, new)):
        if mode is not None:
            edit(place / "data/modes.yaml", "modes: []", LISTED.format(mode))
    status, out, _ = said("policy", "diff", folder, other)
    assert status == wanted, out
    assert "data/modes.yaml: restart_pod on voice" in out


@pytest.mark.slow
def test_recorded_incidents_are_replayed_through_both(said, folder):
    edit(folder / "deny_safety.cedar", "unless { context.approvals >= 2 };", "unless { context.approvals >= 1 };")
    status, out, _ = said("policy", "diff", POLICIES, folder, "--cases", ROOT / "tests/incidents/redis-slow-primary")
    assert status == 3
    assert "DANGEROUS: more permissive: redis-slow-primary: fewer people have to agree: 1 person, not 2 people" in out
    assert "decided by   grant-redis-failover, tier-failover-two" in out
    status, out, _ = said("policy", "diff", POLICIES, folder, "--cases", ROOT / "tests/incidents/healthy")
    assert "every recorded request is judged as before" in out


def test_recorded_requests_are_judged_by_both(said, folder, tmp_path, bases):
    append(folder / "deny_safety.cedar", RULE.replace("billing", "voice"))
    lines = tmp_path / "audit.jsonl"
    lines.write_text("".join(json.dumps({"detail": {"request": base}}) + "\n" for base in bases.values()))
    status, out, _ = said("policy", "diff", POLICIES, folder, "--decisions", lines)
    assert status == 0
    assert f"{lines}:1: allow (grant-restart-pod) -> needs_approval (1 person) (grant-restart-pod, tier-restart-voice)\n" in out
    assert f"{lines}:2" not in out


@pytest.fixture
def bases():
    return load_cases(POLICIES)[1]


# --- lock ---


def test_lock_is_written_when_everything_holds_and_names_who_approved(said, folder):
    append(folder / "deny_safety.cedar", RULE)
    write = ("policy", "lock", folder, "--approved-by", "ana and ben")
    assert said("policy", "check", folder)[0] == 1
    status, out, _ = said(*write)
    assert (status, "approved by ana and ben" in out) == (0, True), out
    assert said("policy", "check", folder)[0] == 0
    assert json.loads((folder / "BUNDLE.lock").read_text())["approved_by"] == "ana and ben"


def test_lock_refuses_a_bundle_whose_own_tests_fail(said, folder):
    before = (folder / "BUNDLE.lock").read_text()
    edit(folder / "deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 1200")
    status, out, err = said("policy", "lock", folder, "--approved-by", "ana")
    assert status == 1
    assert "evidence-too-old" in out
    assert "not locked" in err
    assert (folder / "BUNDLE.lock").read_text() == before


def test_lock_refuses_a_bundle_that_does_not_load(said, folder):
    edit(folder / "grants.cedar", "permit (", "permitt (")
    status, out, _ = said("policy", "lock", folder, "--approved-by", "ana")
    assert (status, "did you mean 'permit'" in out) == (1, True)


def test_the_shipped_lock_is_the_one_the_command_would_write(folder):
    shipped = json.loads((POLICIES / "BUNDLE.lock").read_text())
    assert json.loads(write_lock(folder, shipped["approved_by"]).read_text()) == shipped


async def test_what_the_audit_keeps_of_a_night_can_be_judged_again(folder, tmp_path):
    """The walk's own records, through the files that people would make of them."""
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    lines = tmp_path / "audit.jsonl"
    lines.write_text("".join(r.model_dump_json() + "\n" for r in await walk.store.audit(ID)))
    edit(folder / "deny_safety.cedar", "unless { context.approvals >= 2 };", "unless { context.approvals >= 1 };")
    after, _ = examine(folder, locked=False)
    (change,) = rejudged(load_bundle(POLICIES), after, situations(lines.read_text(), "audit"))
    assert (change.before.approvals_required, change.after.approvals_required, change.wider) == (2, 1, True)
