"""`sre-agent noise` over the stand-in account, and over what a replay saved of it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sre_agent.__main__ import run
from sre_agent.incident.errors import Permanent
from sre_agent.noise.page import Page, Reader
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


@pytest.mark.real
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


def test_a_read_only_key_without_a_person_to_write_as_is_enough(noisy, tmp_path):
    told = environment(noisy, tmp_path)
    del told["PAGERDUTY_FROM_EMAIL"]
    done = replayed(told, "--pagerduty", "--since", SINCE, "--until", UNTIL, "--json", "-")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 7), done.stderr


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


@pytest.mark.real
def test_a_broken_saved_file_is_counted_and_the_others_are_read(noisy, tmp_path, monkeypatch, capfd):
    replayed(environment(noisy, tmp_path), "--pagerduty", "--since", SINCE, "--until", UNTIL, "--save", str(tmp_path / "kept"))
    broken = sorted((tmp_path / "kept").rglob("history.json"))[2]
    broken.write_text("{")
    status, out, _ = told(noisy, tmp_path, "--from", str(tmp_path / "kept"), monkeypatch=monkeypatch, capfd=capfd)
    assert status == 0
    assert "6 pages" in out
    assert "history.json files that cannot be read (1)" in out


def test_what_makes_no_sense_is_told_before_anything_is_read(account, tmp_path, monkeypatch, capfd):
    assert told(account, tmp_path, "--time-zone", "Mars/Olympus", monkeypatch=monkeypatch, capfd=capfd)[0] == 2
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


ENDED = {"id": "Q0READ000000001", "status": "resolved", "created_at": "2026-09-14T10:00:00Z", "resolved_at": "2026-09-14T10:30:00Z"}
MONITORING = {"id": "PSVC001", "type": "service_reference"}
PERSON, AGENT = {"id": "PANA", "type": "user"}, {"id": "PAGENT", "type": "user"}


def _logged(kind: str, agent: dict, minute: int = 30, channel: str = "api") -> dict:
    at = f"2026-09-14T10:{minute:02}:00Z"
    return {"type": f"{kind}_log_entry", "agent": agent, "created_at": at, "channel": {"type": channel}}


def _read(*log: dict, **more) -> Page:
    page = Reader(ZoneInfo("UTC")).page(HistoryEntry(incident={**ENDED, **more.pop("incident", {})}, log_entries=log, **more))
    assert page is not None
    return page


def test_whatever_a_person_did_beyond_acknowledging_is_an_act_and_what_nobody_did_is_none():
    over = _logged("resolve", MONITORING)
    assert _read(_logged("acknowledge", PERSON, 5), over).acted is False
    assert _read(_logged("status_update", PERSON, 5), over).acted is True
    assert _read(over, incident={"responder_requests": [{"requester": PERSON}]}).acted is True
    assert _read(_logged("escalate", PERSON, 5, channel="timeout"), over).acted is False
    assert _read(_logged("resolve", PERSON, 1), incident={"resolved_at": "2026-09-14T10:01:00Z"}).acted is False
    assert _read(_logged("resolve", PERSON, 2), incident={"resolved_at": "2026-09-14T10:02:00Z"}).acted is True


def test_notes_that_may_not_be_read_leave_what_people_did_unknown():
    assert _read(_logged("resolve", MONITORING), problems=("notes: not allowed with this key",)).acted is None
    assert _read(_logged("escalate", PERSON), problems=("notes: not allowed with this key",)).acted is True


def test_the_agents_own_note_in_a_saved_folder_is_no_act_of_a_person():
    noted = {"content": f"[sre-agent {ENDED['id']}]\nStatus: refused", "user": AGENT, "created_at": "2026-09-14T10:01:00Z"}
    assert _read(_logged("resolve", MONITORING), notes=(noted,)).acted is False
    assert _read(_logged("resolve", MONITORING), notes=({**noted, "content": "restarted it"},)).acted is True


def test_what_was_closed_because_its_time_was_up_did_not_end_by_itself():
    assert _read(_logged("resolve", MONITORING)).by_itself is True
    assert _read(_logged("resolve", MONITORING, channel="timeout")).by_itself is None


def test_people_told_are_those_notified_or_else_those_it_was_given_to():
    given = {**_logged("assign", MONITORING, 0), "assignees": [PERSON, AGENT]}
    assert _read(given).notified == 2
    assert _read(given, {**_logged("notify", MONITORING, 0), "user": PERSON}).notified == 1
    assert _read().notified == 0
