"""A PagerDuty account with past incidents, and what a Prometheus kept of one of them. All of it made up."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sre_agent.replay.history.entry import Span
from sre_agent.settings import Settings, fixed
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN, PagerDutyStandIn
from sre_agent.wiring.history import Wanted
from sre_agent.wiring.origins import from_pagerduty

BEGAN = datetime(2026, 9, 14, 10, 20, tzinfo=UTC)
LIMITED = {
    "alertname": "ToolRateLimited",
    "alert_type": "tool",
    "team": "integrations",
    "tool_name": "crm",
    "severity": "page",
}


NOW = datetime(2026, 9, 20, tzinfo=UTC)
DAY = Span(since=BEGAN - timedelta(hours=1), until=BEGAN + timedelta(days=1))
WORDS = ("--pagerduty", "--since", "2026-09-14", "--until", "2026-09-15", "--json", "-")


class Clock:
    """The account's time, moved by hand."""

    def __init__(self, at: datetime = BEGAN) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def wait(self, **span: float) -> None:
        self.at += timedelta(**span)


def crm_incident(pagerduty: PagerDutyStandIn, clock: Clock) -> str:
    """The CRM turned requests away; somebody acknowledged after two minutes, wrote a note and resolved it after forty."""
    incident = pagerduty.add_incident("[FIRING:1] ToolRateLimited crm", [LIMITED])
    clock.wait(minutes=2)
    pagerduty.acknowledge(incident)
    clock.wait(minutes=10)
    pagerduty.annotate(incident, "the nightly import used up our quota; stopped it. token=sk-live-0123456789abcdef0123")
    clock.wait(minutes=28)
    pagerduty.resolve(incident, pagerduty.person)
    return incident


def quick(pagerduty: PagerDutyStandIn, clock: Clock, count: int, **apart: float) -> list[str]:
    """So many incidents, one after the other, each resolved by its monitoring ten minutes after it began."""
    found = []
    for n in range(count):
        found.append(pagerduty.add_incident(f"number {n}", [{**LIMITED, "tool_name": f"tool-{n}"}]))
        began = clock.at
        clock.wait(minutes=10)
        pagerduty.resolve(found[-1])
        clock.at = began + timedelta(**apart)
    return found


def settings_for(pagerduty: PagerDutyStandIn, folder: Path, **more: str) -> Settings:
    return fixed(environment(pagerduty, folder) | more)


def environment(pagerduty: PagerDutyStandIn, folder: Path) -> dict[str, str]:
    return {
        "PAGERDUTY_API_TOKEN": TOKEN,
        "PAGERDUTY_FROM_EMAIL": AGENT_EMAIL,
        "PAGERDUTY_API_URL": pagerduty.url,
        "SRE_AGENT_DATA_DIR": str(folder / "data"),
    }


def replayed(told: dict[str, str], *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """`sre-agent replay` as a process of its own."""
    return subprocess.run(command(*words), env=bare(told), capture_output=True, text=True, timeout=timeout)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sre_agent", "replay", *words]


def bare(told: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START")} | told


def lines(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder and its content."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def kept_metrics() -> str:
    """What a Prometheus scraped every 15 s around BEGAN, as OpenMetrics: the CRM answers 429 from two minutes before it on, for
    half an hour, and all is well again after that."""
    series: dict[str, list[str]] = {
        'code="200",tool_name="crm"': [],
        'code="429",tool_name="crm"': [],
        'code="200",tool_name="mail"': [],
    }
    fires: list[str] = []
    good = bad = mail = 0
    for step in range(-240, 241):
        at = BEGAN + timedelta(seconds=15 * step)
        sick = timedelta(minutes=-2) <= at - BEGAN < timedelta(minutes=28)
        good, bad, mail = good + (40 if sick else 100), bad + (60 if sick else 0), mail + 30
        for name, value in zip(series, (good, bad, mail), strict=True):
            series[name].append(f"tool_requests_total{{{name}}} {value} {at.timestamp():.0f}")
        if sick and at >= BEGAN:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted({**LIMITED, "alertstate": "firing"}.items()))
            fires.append(f"ALERTS{{{labels}}} 1 {at.timestamp():.0f}")
    told = ["# TYPE tool_requests counter", *(line for each in series.values() for line in each), "# TYPE ALERTS gauge", *fires]
    return "\n".join([*told, "# EOF\n"])


def imported(settings, save: Path | None, span: Span = DAY, look_after_s: float = 30.0, now: datetime = NOW):
    """[(place, folder's name or None, error)] of one run."""
    with from_pagerduty(settings, Wanted(span, look_after_s, now), save) as cases:
        return [(f.place, f.folder and f.folder.name, f.error) for f in cases.each]


def paths(pagerduty, since: int = 0) -> list[str]:
    return [call.path for call in pagerduty.calls[since:]]


def started(told: dict[str, str], save: Path) -> subprocess.Popen[bytes]:
    words = command(*WORDS, "--save", str(save))
    return subprocess.Popen(words, env=bare(told), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def processes(word: str) -> list[str]:
    """The processes of this machine that were started with this word."""
    found = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word.encode() in told.read_bytes().split(b"\0"):
                found.append(told.parent.name)
    return found


def wait_for(holds, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
