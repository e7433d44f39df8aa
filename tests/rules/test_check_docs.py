"""docs/rules-check.md: every check is in it, and each of its examples is what it says it is."""

import re

import pytest

from sre_agent.rules.examine import ALL_CHECKS
from tests.rules.linting import ROOT, ids, linted

PAGE = (ROOT / "docs" / "rules-check.md").read_text(encoding="utf-8")
SECTIONS = {m[1]: m[0] for m in re.finditer(r"^### (SRA\d+) .*?(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)}


def examples(section: str, kind: str) -> list[tuple[str, ...]]:
    """Each example as the files that it stands for."""
    blocks = re.findall(rf"^```yaml\n# {kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [tuple(block.split("# alertmanager.yml\n")) for block in blocks]


def test_every_check_has_its_section_and_no_section_is_about_nothing():
    assert sorted(SECTIONS) == [check.id for check in ALL_CHECKS]


def test_ids_and_names_are_each_used_once():
    assert len({c.id for c in ALL_CHECKS}) == len({c.name for c in ALL_CHECKS}) == len(ALL_CHECKS)


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda c: c.id)
def test_the_section_says_name_and_severity(check):
    assert SECTIONS[check.id].startswith(f"### {check.id} {check.name} ({check.severity.value}")


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda c: c.id)
def test_the_wrong_example_is_found_and_the_right_one_is_not(check):
    wrong, right = examples(SECTIONS[check.id], "wrong"), examples(SECTIONS[check.id], "right")
    assert wrong
    for files in wrong:
        assert check.id in ids(linted(*files))
    for files in right:
        assert check.id not in ids(linted(*files))
