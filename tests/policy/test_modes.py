"""The mode table: the strictest of the agent's own mode and the entry, and never auto without one."""

import re
from pathlib import Path

import pytest

from sre_agent.policy.facts import Mode
from sre_agent.policy.load import examine, load_bundle
from sre_agent.policy.modes import ModeEntry, Modes, strictest

POLICIES = Path(__file__).parents[2] / "policies"
DECLARED = POLICIES.parent / "tests/path/declared"
ORDER = (Mode.OFF, Mode.OBSERVE, Mode.APPROVE, Mode.AUTO)


@pytest.mark.parametrize("overall", ORDER)
@pytest.mark.parametrize("listed", ORDER)
def test_the_strictest_of_the_agents_mode_and_the_entry_holds(overall: Mode, listed: Mode) -> None:
    modes = Modes(modes=(ModeEntry(action="restart_pod", service="voice", mode=listed),))
    expected = ORDER[min(ORDER.index(overall), ORDER.index(listed))]
    assert modes.allowed(overall, "restart_pod", "voice") is expected
    assert strictest(overall, listed) is strictest(listed, overall) is expected


@pytest.mark.parametrize(
    ("overall", "most"),
    [(Mode.OFF, Mode.OFF), (Mode.OBSERVE, Mode.OBSERVE), (Mode.APPROVE, Mode.APPROVE), (Mode.AUTO, Mode.APPROVE)],
)
@pytest.mark.parametrize("pair", [("restart_pod", "sales"), ("scale_up", "voice"), ("restart_pod", ""), ("", "")])
def test_a_pair_without_an_entry_is_never_auto(overall: Mode, most: Mode, pair: tuple[str, str]) -> None:
    modes = Modes(modes=(ModeEntry(action="restart_pod", service="voice", mode=Mode.AUTO),))
    assert modes.allowed(overall, *pair) is most


def test_nothing_is_listed_as_shipped() -> None:
    assert load_bundle(POLICIES).declared.modes == Modes()


GOOD = "modes:\n  - {action: restart_pod, service: voice-platform, mode: auto}\n  - {action: scale_up, service: sales, mode: off}\n"


@pytest.fixture
def overlay(tmp_path: Path):
    """Write modes.yaml beside the time scripts' targets; what is wrong with it."""

    def written(text: str):
        (tmp_path / "targets.yaml").write_text((DECLARED / "targets.yaml").read_text())
        (tmp_path / "modes.yaml").write_text(text)
        return examine(POLICIES, tmp_path)

    return written


def test_a_deployments_own_file_is_in_force_and_in_the_bundles_hash(overlay) -> None:
    bundle, wrong = overlay(GOOD)
    assert wrong == ()
    assert [e.mode for e in bundle.declared.modes.modes] == [Mode.AUTO, Mode.OFF]  # a bare off is no boolean here
    other, _ = overlay(GOOD.replace("auto", "observe"))
    assert other.hash != bundle.hash


EDITS = {
    "unknown action": ("action: scale_up", "action: scale_upp", "unknown action 'scale_upp'; did you mean 'scale_up'", 3),
    "action that no grant names": ("action: scale_up", "action: approve", "unknown action 'approve'", 3),
    "unknown mode": ("mode: auto", "mode: automatic", "'off', 'observe', 'approve' or 'auto'", 2),
    "true is no mode": ("mode: off", "mode: on", "'off', 'observe', 'approve' or 'auto'", 3),
    "misspelt service": ("service: sales", "service: sale", "of service 'sale'; did you mean 'sales'", 3),
    "service that no target has": ("service: sales", "service: billing", "of service 'billing'", 3),
    "a pair twice": ("action: scale_up, service: sales", "action: restart_pod, service: voice-platform", "an entry already", 3),
    "unknown key": ("mode: auto", "mode: auto, until: 2027-01-01", "until", 2),
    "missing mode": (", mode: auto", "", "mode", 2),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_careless_entry_is_refused_with_file_and_line(edit: str, overlay, tmp_path: Path) -> None:
    old, new, says, line = EDITS[edit]
    bundle, wrong = overlay(GOOD.replace(old, new, 1))
    assert bundle is None
    assert says in wrong[0], wrong
    assert re.match(re.escape(f"{tmp_path / 'modes.yaml'}:{line}: "), wrong[0]), wrong
