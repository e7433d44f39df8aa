"""`sre-agent noise` over the stand-in account, and over what a replay saved of it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sre_agent.__main__ import run
from sre_agent.incident.errors import Permanent
from sre_agent.noise.page import Reader
from sre_agent.replay.history.entry import HistoryEntry
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.wiring.noise import zone_of
from tests.replay.history.stage import BEGAN, Clock, crm_incident, environment, quick, replayed

SINCE, UNTIL = "2026-09-14", "2026-09-16"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn(now=clock) as standing:
        yield standing


@pytest.fixture
def noisy(account: PagerDutyStandIn, clock: Clock) -> PagerDutyStandIn:
    """One incident that a person worked on, and six that went away by themselves after ten minutes, one every two hours."""
    crm_incident(account, clock)
    clock.at = BEGAN + timedelta(hours=2)
    quick(account, clock, 6, hours=2)
    return account


def told(account: PagerDutyStandIn, folder: Path, *words: str, monkeypatch: pytest.MonkeyPatch, capfd) -> tuple[int, str, str]:
    for name, value in environment(account, folder).items():
        monkeypatch.setenv(name, value)
    status = run(["noise", "--since", SINCE, "--until", UNTIL, *words])
    printed = capfd.readouterr()
    return status, printed.out, printed.err


def test_the_account_is_reviewed_and_the_saved_folder_tells_the_same(noisy, tmp_path, monkeypatch, capfd):
    status, out, err = told(noisy, tmp_path, "--json", "-", monkeypatch=monkeypatch, capfd=capfd)
    assert (status, err) == (0, "")
    review = json.loads(out)
    (rule,) = review["rules"]
    assert (rule["rule"], rule["pages"], rule["acted_upon"], rule["self_resolved"]) == ("ToolRateLimited", 7, 1 / 7, 6 / 7)
    assert (rule["acknowledge_s_median"], rule["resolve_s_median"]) == (120.0, 600.0)
    (hold,) = review["suggestions"]
    assert (hold["kind"], hold["span_s"], hold["effect"]["after"], hold["effect"]["acted_later"]) == ("hold", 600.0, 1, 1)
    saved = replayed(
        environment(noisy, tmp_path), "--pagerduty", "--since", SINCE, "--until", UNTIL, "--save", str(tmp_path / "kept")
    )
    assert saved.returncode == 0, saved.stderr
    status, again, err = told(
        noisy, tmp_path, "--from", str(tmp_path / "kept"), "--json", "-", monkeypatch=monkeypatch, capfd=capfd
    )
    assert (status, err) == (0, "")
    assert json.loads(again) == review


def test_the_terminal_and_the_page_say_the_same(noisy, tmp_path, monkeypatch, capfd):
    page = tmp_path / "noise.html"
    status, out, _ = told(noisy, tmp_path, "--html", str(page), "--time-zone", "Asia/Tokyo", monkeypatch=monkeypatch, capfd=capfd)
    assert status == 0
    assert "7 pages" in out
    assert "hold 10 min: ToolRateLimited on voice-platform: 7 -> 1 pages" in out
    assert "for: 10m" in out
    html = page.read_text()
    assert "7 pages" in html
    assert "ToolRateLimited" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_report_that_cannot_be_written_is_kept_elsewhere(noisy, tmp_path, monkeypatch, capfd):
    status, out, err = told(noisy, tmp_path, "--json", str(tmp_path / "no" / "x.json"), monkeypatch=monkeypatch, capfd=capfd)
    assert status == 1
    assert "7 pages" in out
    kept = Path(err.strip().rpartition(" ")[2])
    assert json.loads(kept.read_text())["pages"] == 7
    kept.unlink()


def test_names_of_the_outside_are_escaped_and_redacted(account, clock, tmp_path, monkeypatch, capfd):
    labels = {"alertname": "<img src=x>", "alert_type": "infra", "team": "a", "severity": "page"}
    for _ in range(6):
        account.resolve(account.add_incident("mail ada@example.test <b>now</b>", [labels]))
        clock.wait(minutes=90)
    page = tmp_path / "noise.html"
    _, out, _ = told(account, tmp_path, "--html", str(page), monkeypatch=monkeypatch, capfd=capfd)
    assert "ada@example.test" not in out + page.read_text()
    assert "<img" not in page.read_text()


def test_an_account_that_does_not_show_its_log_leaves_what_people_did_unknown():
    ended = {"status": "resolved", "created_at": "2026-09-14T10:00:00Z", "resolved_at": "2026-09-14T10:05:00Z"}
    silent = HistoryEntry(incident={"id": "Q0SILENT0000001", **ended}, problems=("log entries: not allowed with this key",))
    page = Reader(ZoneInfo("UTC")).page(silent)
    assert page is not None
    assert (page.acted, page.by_itself, page.wrong_team) == (None, None, None)


def test_a_broken_saved_file_is_counted_and_the_others_are_read(noisy, tmp_path, monkeypatch, capfd):
    replayed(environment(noisy, tmp_path), "--pagerduty", "--since", SINCE, "--until", UNTIL, "--save", str(tmp_path / "kept"))
    broken = sorted((tmp_path / "kept").rglob("history.json"))[2]
    broken.write_text("{")
    status, out, _ = told(noisy, tmp_path, "--from", str(tmp_path / "kept"), monkeypatch=monkeypatch, capfd=capfd)
    assert status == 0
    assert "6 pages" in out
    assert "history.json files that cannot be read (1)" in out


def test_what_makes_no_sense_is_told_before_anything_is_read(account, tmp_path, monkeypatch, capfd):
    assert told(account, tmp_path, "--time-zone", "Mars/Olympus", monkeypatch=monkeypatch, capfd=capfd)[0] == 1
    assert told(account, tmp_path, "--from", str(tmp_path), "--team", "PTEAM01", monkeypatch=monkeypatch, capfd=capfd)[0] == 2
    status, _, err = told(account, tmp_path, "--from", str(tmp_path), monkeypatch=monkeypatch, capfd=capfd)
    assert status == 1
    assert "holds no history.json" in err
    with pytest.raises(Permanent, match="Europe/Berlin"):
        zone_of("../etc/passwd")


@pytest.mark.parametrize(
    ("name", "cost"), [("LLMCostSpike", True), ("TokenSpendHigh", True), ("CostumeShopDown", False), ("Accost", False)]
)
def test_a_cost_alert_is_known_by_its_words(name: str, cost: bool):
    entry = HistoryEntry(
        incident={"id": "Q0COST000000001", "created_at": "2026-09-14T10:00:00Z", "status": "triggered"},
        alerts=({"labels": {"alertname": name}, "annotations": {"cost_ratio": "6.5"}},),
    )
    page = Reader(ZoneInfo("UTC")).page(entry)
    assert page is not None
    assert (page.cost, page.cost_ratio) == (cost, 6.5)


@pytest.mark.parametrize(
    ("at", "night"),
    [
        ("2026-03-29T05:30:00+02:00", True),  # the night in which Berlin's clocks go forward
        ("2026-03-28T23:00:00+01:00", True),
        ("2026-03-28T22:59:59+01:00", False),
        ("2026-03-29T07:00:00+02:00", False),
        ("2026-10-25T02:30:00+01:00", True),
    ],
)
def test_a_night_page_is_one_where_people_sleep(at: str, night: bool):
    entry = HistoryEntry(incident={"id": "Q0NIGHT00000001", "created_at": at, "status": "triggered"})
    page = Reader(ZoneInfo("Europe/Berlin")).page(entry)
    assert page is not None
    assert page.night is night
