"""docs/threat-model.md says of each guardrail what holds it: every row is there once, and what it names exists."""

import re

from tests.house.tree import ROOT

TABLE = [line for line in (ROOT / "docs/threat-model.md").read_text(encoding="utf-8").splitlines() if line.startswith("| G")]
ROWS = {cells[0].strip(): (cells[2].strip(), cells[3]) for cells in (line.strip("|").split("|") for line in TABLE)}
POLICY_IDS = frozenset(re.findall(r'@id\("([^"]+)"\)', "".join(p.read_text() for p in (ROOT / "policies").glob("*.cedar"))))
PREFIXES = ("deny-", "tier-", "refuse-", "approve-", "grant-")


def named(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_guardrail_has_one_row_in_order() -> None:
    assert [line.split("|")[1].strip() for line in TABLE] == [f"G{n:02d}" for n in range(1, 61)]


def test_a_guardrail_is_held_partly_held_or_not_and_says_why() -> None:
    assert {held for held, _ in ROWS.values()} <= {"yes", "partly", "no"}
    assert all(len(why.split()) >= 3 or named(why) for _, why in ROWS.values())


def test_policies_and_files_that_the_table_names_exist() -> None:
    for number, (_, why) in ROWS.items():
        for name in named(why):
            if name.startswith(PREFIXES):
                assert name in POLICY_IDS, f"{number} names the policy {name}, which is not in policies/"
            if "/" in name and not name.endswith("-*"):
                assert (ROOT / name).exists(), f"{number} names {name}, which does not exist"
