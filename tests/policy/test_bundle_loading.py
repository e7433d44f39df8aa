"""A bundle that is wrong in any way is refused whole, naming file, line and what to do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.load import load_bundle, write_lock

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture
def declared(folder: Path) -> Path:
    """As `folder`, with targets that somebody declared: none are as shipped."""
    shutil.copy(POLICIES.parent / "tests/path/declared/targets.yaml", folder / "data" / "targets.yaml")
    return folder


def refusal(folder: Path, overlay: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_bundle(folder, overlay)
    return str(caught.value)


def line_of(path: Path, text: str) -> int:
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


EDITS = {
    "attribute typo": ("deny_safety.cedar", "context.facts.halted", "context.facts.halter", "did you mean 'halted'"),
    "enum typo": ("deny_safety.cedar", 'Sre::Mode::"observe"', 'Sre::Mode::"obsreve"', "did you mean 'observe'"),
    "operand type": ("deny_safety.cedar", "facts_age_s > 120", 'facts_age_s > "120"', "expected Long but saw String"),
    "unknown action": ("grants.cedar", 'Sre::Action::"restart_pod"', 'Sre::Action::"restart_pods"', "did you mean 'restart_pod'"),
    "unknown entity": ("approvals.cedar", "resource is Sre::Plan\n", "resource is Sre::Plann\n", "did you mean 'Plan'"),
    "syntax": ("deny_safety.cedar", "when { context.facts.halted };", "when { context.facts.halted & true };", ""),
    "misspelt keyword": ("grants.cedar", "permit (", "permitt (", "did you mean 'permit'"),
    "forgotten semicolon": ("deny_safety.cedar", "when { context.facts.halted };", "when { context.facts.halted }", ""),
    "no reason": ("deny_safety.cedar", '@reason("the agent is switched off (mode off)")', "", "has no @reason"),
    "no id": ("deny_safety.cedar", '@id("deny-mode-off")', "", "has no @id"),
    "unknown outcome": ("refuse_handback.cedar", '@outcome("hand_back")', '@outcome("handback")', "did you mean 'hand_back'"),
    "no outcome": ("refuse_handback.cedar", '@outcome("hand_back")', "", "has outcome ''"),
    "duplicate id": ("deny_safety.cedar", '@id("deny-mode-off")', '@id("deny-halted")', "used already at"),
    "template": ("approvals.cedar", "forbid (principal, action ==", "forbid (principal == ?principal, action ==", "templates"),
    "grant of everything": ("grants.cedar", 'action == Sre::Action::"restart_pod"', "action", "grants every action"),
    "grant of the group": (
        "grants.cedar",
        'action == Sre::Action::"restart_pod"',
        'action in Sre::Action::"runbook"',
        "grants every action",
    ),
    "grant that reads a claim": (
        "grants.cedar",
        'when { resource.kind == "Pod" }',
        'when { resource.kind == "Pod" && context.claims.veto == false }',
        "a model says can only restrict",
    ),
    "grant that reads the whole context": (
        "grants.cedar",
        'when { resource.kind == "Pod" }',
        'when { resource.kind == "Pod" && context == context }',
        "a model says can only restrict",
    ),
    "has": ("deny_safety.cedar", "when { context.facts.halted };", "when { context has facts };", "uses has"),
    "always true": ("deny_safety.cedar", "facts_age_s > 120", "facts_age_s >= 0", "always applies"),
    "always true beside a condition": (
        "deny_safety.cedar",
        "{ context.facts.halted }",
        "{ context.facts.halted || true }",
        "always applies",
    ),
    "always true by negation": (
        "deny_safety.cedar",
        "{ context.facts.halted }",
        "{ context.facts.halted || !context.facts.halted }",
        "always applies",
    ),
    "no condition on everything": (
        "deny_safety.cedar",
        "resource)\nwhen { context.facts.halted };",
        "resource);",
        "always applies",
    ),
    "never true": ("deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 1000000", "never applies"),
    "never true because always excused": ("refuse_handback.cedar", "evidence_kinds >= 2", "evidence_kinds >= 0", "never applies"),
    "grant that grants nothing": ("grants.cedar", 'resource.kind == "Pod"', "resource.kind != resource.kind", "never applies"),
    "arithmetic beyond 64 bits": (
        "deny_safety.cedar",
        "facts_age_s > 120",
        "facts_age_s * context.facts.facts_age_s * context.facts.facts_age_s * context.facts.facts_age_s > 120",
        "beyond 64 bits",
    ),
    "hand back that people could approve away": (
        "refuse_handback.cedar",
        "when { context.claims.veto }",
        "when { context.claims.veto } unless { context.approvals >= 1 }",
        "reads context.approvals",
    ),
    "permit in the shadow": ("shadow/stricter_evidence.cedar", "forbid (", "permit (", "only refusals"),
    "schema syntax": ("schema.cedarschema", "entity Team;", "entiti Team;", "did you mean 'entity'"),
    "schema name": ("schema.cedarschema", "owner: Team,\n    stateful", "owner: Taem,\n    stateful", "Taem"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_careless_edit_of_a_policy_is_refused_with_file_and_line(edit, folder) -> None:
    name, old, new, says = EDITS[edit]
    path = folder / name
    assert old in path.read_text()
    before = path.read_text()
    at = before.count("\n", 0, before.index(old)) + 1
    path.write_text(before.replace(old, new, 1))
    message = refusal(folder)
    assert says in message
    found = re.search(re.escape(str(path)) + r":(\d+): ", message)
    assert found, message
    # Within the statement that was edited (or, where one ended early, the one it ran into).
    assert abs(int(found[1]) - at) <= 7, message


def test_the_exact_line_of_a_misspelt_attribute_is_named(folder) -> None:
    path = folder / "deny_safety.cedar"
    path.write_text(path.read_text().replace("replicas_desired * 51", "replicas_desire * 51"))
    assert f"{path}:{line_of(path, 'replicas_desire * 51')}: " in refusal(folder)


DATA_EDITS = {
    "broken YAML": ("targets.yaml", "  managed: true", "  managed: [true", "not valid YAML", "managed: [true"),
    "unknown key": ("targets.yaml", "  sentinel_aware: true", "  sentinal_aware: true", "'sentinel_aware'", "sentinal_aware"),
    "wrong type": ("targets.yaml", "  managed: true", '  managed: "true"', "valid boolean", 'managed: "true"'),
    "unknown environment": ("targets.yaml", "environment: prod", "environment: production", "known: prod", "production"),
    "unknown team": ("targets.yaml", "team: platform", "team: platfrom", "unknown team", "platfrom"),
    "malformed key": ("targets.yaml", "redis/cache:", "Redis cache:", "kind/name", "Redis cache:"),
    "duplicate key": ("targets.yaml", "deployment/voice/voice-gateway:", "redis/cache:", "was given on line", "@last:redis/cache:"),
    "unknown member": ("teams.yaml", "[ana, ben, cleo]", "[ana, ben, clea]", "did you mean 'cleo'", "clea]"),
    "unknown admin": ("teams.yaml", "admins: []", "admins: [ana, clea]", "did you mean 'cleo'", "clea]"),
    "admins that are no list": ("teams.yaml", "admins: []", "admins: ana", "admins", "admins: ana"),
    "shared identity": ("teams.yaml", "slack: U00000BEN", "slack: U00000ANA", "somebody else as well", "@first:U00000ANA"),
    "person twice": ("teams.yaml", "- id: ben", "- id: ana", "listed twice", "@last:- id: ana"),
    "token that is no digest": ("teams.yaml", '"' + "0" * 64 + '"', '"secret"', "match pattern", '"secret"'),
    "impossible zone": ("freezes.yaml", "tz: UTC", "tz: Mars/Olympus", "no time zone", "Mars"),
    "misspelt zone": ("freezes.yaml", "tz: UTC", "tz: Europe/Viena", "did you mean 'Europe/Vienna'", "Viena"),
    "ends before it begins": ("freezes.yaml", "to: 2027-01-02", "to: 2025-01-02", "ends before", "to: 2025"),
    "impossible date": ("freezes.yaml", "2026-12-23T00:00:00", "2026-13-43T00:00:00", "impossible", "2026-13-43"),
    "time that is not one": ("freezes.yaml", "2026-12-23T00:00:00", "soon", "datetime", "soon"),
    "zone in the time": ("freezes.yaml", "2026-12-23T00:00:00", '"2026-12-23T00:00:00Z"', "timezone", "23T00:00:00Z"),
    "protected object without kind": (
        "protected.yaml",
        "  - redis/sre-agent",
        "  - sre-agent-redis",
        "kind/name",
        "sre-agent-redis",
    ),
    "team of a receiver that is none": (
        "routing.yaml",
        "pd-ai-eng: [ai-eng]",
        "pd-ai: [ai-eng]",
        "did you mean 'pd-ai-eng'",
        "pd-ai:",
    ),
    "class that is none": ("handback.yaml", "\n{}\n", "\nmodels: {priority: P3}\n", "models", "models:"),
    "fact that is none": ("handback.yaml", "\n{}\n", "\nmodel: {custom_fields: {f: title}}\n", "'approved_by'", "f: title"),
    "field name that is none": ("handback.yaml", "\n{}\n", "\nmodel: {custom_fields: {a b: class}}\n", "custom field", "a b"),
    "empty priority": ("handback.yaml", "\n{}\n", '\nmodel: {priority: " "}\n', "empty priority", "{priority:"),
    "status update by a word": ("handback.yaml", "\n{}\n", '\nmodel: {status_update: "yes"}\n', "valid boolean", "{status_update"),
    "receiver that is no text": ("routing.yaml", 'pd-platform: ""', "pd-platform: 7", "valid string", "pd-platform: 7"),
}


@pytest.mark.parametrize("edit", DATA_EDITS)
def test_a_careless_edit_of_a_data_file_is_refused_with_file_and_line(edit, declared) -> None:
    name, old, new, says, where = DATA_EDITS[edit]
    path = declared / "data" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    message = refusal(declared)
    assert says in message, message
    found = re.search(re.escape(str(path)) + r":(\d+): ", message)
    assert found, message
    lines = path.read_text().splitlines()
    order = reversed(range(len(lines))) if where.startswith("@last:") else range(len(lines))
    wanted = where.removeprefix("@last:").removeprefix("@first:")
    if wanted:
        at = next(i for i in order if wanted in lines[i]) + 1
        assert int(found[1]) in (at, at + 1), message


@pytest.mark.parametrize("name", ["schema.cedarschema", "data/freezes.yaml", "BUNDLE.lock", "tests/self_test.yaml"])
def test_a_missing_file_is_refused_by_name(name, folder) -> None:
    (folder / name).unlink()
    assert f"{folder / name}: this file is missing" in refusal(folder)


def test_a_folder_that_is_none_is_refused(tmp_path) -> None:
    assert "SRE_AGENT_POLICIES" in refusal(tmp_path / "nowhere")


def test_text_that_is_not_utf8_is_refused(folder) -> None:
    (folder / "data" / "teams.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(folder)


def test_a_policy_changed_after_the_lock_is_refused(folder) -> None:
    path = folder / "deny_safety.cedar"
    path.write_text(path.read_text().replace("facts_age_s > 120", "facts_age_s > 1200"))
    message = refusal(folder)
    assert f"{path}:1: was changed since BUNDLE.lock" in message
    assert "sre-agent policy lock" in message


def test_a_policy_file_added_or_removed_after_the_lock_is_refused(folder) -> None:
    extra = folder / "extra.cedar"
    extra.write_text('@id("x") @reason("y") @outcome("deny")\nforbid (principal, action in Sre::Action::"runbook", resource)\n')
    extra.write_text(extra.read_text().rstrip() + " when { context.facts.halted };\n")
    assert f"{extra}:1: was added since" in refusal(folder)
    extra.unlink()
    (folder / "approvals.cedar").unlink()
    assert "approvals.cedar:1: is missing since" in refusal(folder)


@pytest.mark.parametrize("lock", ["", "[]", "{}", "not json", '{"files": 1, "engine": "x", "bundle": ""}'])
def test_a_damaged_lock_is_refused(lock, folder) -> None:
    (folder / "BUNDLE.lock").write_text(lock)
    assert "the lock is damaged" in refusal(folder)


def test_a_lock_for_another_engine_or_with_another_hash_is_refused(folder) -> None:
    path = folder / "BUNDLE.lock"
    lock = json.loads(path.read_text())
    path.write_text(json.dumps({**lock, "engine": "cedarpy 3.0"}))
    assert "cedarpy 3.0" in refusal(folder)
    path.write_text(json.dumps({**lock, "bundle": "0" * 64}))
    assert "bundle hash in the lock" in refusal(folder)


def test_locking_again_accepts_a_reviewed_change_and_gives_another_hash(folder, bundle) -> None:
    path = folder / "deny_safety.cedar"
    path.write_text(path.read_text().replace("facts_age_s > 120", "facts_age_s > 60"))
    write_lock(folder, "two reviewers")
    changed = load_bundle(folder)
    assert changed.hash != bundle.hash
    assert json.loads((folder / "BUNDLE.lock").read_text())["approved_by"] == "two reviewers"


def test_a_broken_policy_cannot_be_locked(folder) -> None:
    path = folder / "grants.cedar"
    path.write_text(path.read_text().replace("permit (", "permitt (", 1))
    with pytest.raises(ConfigurationError):
        write_lock(folder)


def test_a_bundle_that_always_refuses_fails_its_self_test(folder) -> None:
    path = folder / "deny_safety.cedar"
    path.write_text(
        path.read_text().replace(
            "when { context.facts.halted };", "when { (context.facts.halted || !context.facts.managed) || context.facts.managed };"
        )
    )
    write_lock(folder)
    assert "self-test failed" in refusal(folder)


def test_a_bundle_that_lost_a_refusal_fails_its_self_test(folder) -> None:
    path = folder / "deny_safety.cedar"
    path.write_text(
        path.read_text().replace(
            "when { context.facts.halted };", "when { (context.facts.halted && !context.facts.managed) && context.facts.managed };"
        )
    )
    write_lock(folder)
    assert "self-test-deny" in refusal(folder)


def test_a_self_test_that_never_expects_a_refusal_is_no_self_test(folder) -> None:
    path = folder / "tests" / "self_test.yaml"
    path.write_text("- id: only-allow\n  base: good-restart\n  expect: {verdict: allow, because: [grant-restart-pod]}\n")
    assert "missing: deny, hand_back" in refusal(folder)


def test_the_order_of_policy_files_changes_nothing_but_names(folder, bundle, make) -> None:
    """Engines number policies by position; ours are known by their own ids."""
    (folder / "deny_safety.cedar").rename(folder / "aaa.cedar")
    write_lock(folder)
    moved = load_bundle(folder)
    it = make("good-failover", **{"facts.halted": True, "facts.managed": False, "claims.veto": True})
    from sre_agent.policy.guard import Guard

    one, two = Guard(bundle, "a", b"").decide(it), Guard(moved, "a", b"").decide(it)
    assert (one.verdict, one.policy_ids, one.reasons) == (two.verdict, two.policy_ids, two.reasons)
    assert moved.hash != bundle.hash


def test_an_overlay_replaces_data_and_is_part_of_the_hash(tmp_path, bundle) -> None:
    overlay = tmp_path / "mine"
    overlay.mkdir()
    (overlay / "targets.yaml").write_text("redis/demo: {managed: true, environment: dev, team: platform, dataset: demo}\n")
    mine = load_bundle(POLICIES, overlay)
    assert set(mine.declared.targets.root) == {"redis/demo"}
    assert mine.declared.people == bundle.declared.people
    assert mine.hash != bundle.hash
    assert load_bundle(POLICIES, overlay).hash == mine.hash
    (overlay / "targets.yaml").write_text("{}\n")
    assert load_bundle(POLICIES, overlay).hash != mine.hash


def test_an_overlay_is_checked_like_the_shipped_data(tmp_path) -> None:
    overlay = tmp_path / "mine"
    overlay.mkdir()
    (overlay / "targets.yaml").write_text("redis/demo:\n  managed: true\n  team: nobody\n")
    assert f"{overlay / 'targets.yaml'}:3: unknown team 'nobody'" in refusal(POLICIES, overlay)


def test_a_misnamed_overlay_file_is_refused_with_the_right_name(tmp_path) -> None:
    (tmp_path / "target.yaml").write_text("{}\n")
    assert "did you mean 'targets.yaml'" in refusal(POLICIES, tmp_path)


def test_a_missing_overlay_folder_is_refused(tmp_path) -> None:
    assert "no overlay folder" in refusal(POLICIES, tmp_path / "nowhere")


def test_nothing_is_declared_as_shipped(bundle) -> None:
    """Owners opt in: a fresh install may touch nothing."""
    assert dict(bundle.declared.targets.root) == {}


def test_the_shipped_people_have_no_token_that_works(bundle) -> None:
    from sre_agent.approval.teams import Teams

    teams = Teams(bundle.declared.people)
    assert not any(teams.is_admin(p.id) for p in bundle.declared.people.people), "nobody is one as shipped"
    assert not any(teams.proves(p.id, t) for p in bundle.declared.people.people for t in ("", "0" * 64, p.id))
