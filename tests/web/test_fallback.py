"""docs/doors.md's configuration for Alertmanager, and its rules for when the agent is down, under the real tools."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.tree import ROOT

BLOCKS = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/doors.md").read_text("utf-8"), re.DOTALL)
]
[CONFIG] = [b for b in BLOCKS if "route" in b]
[RULES] = [b for b in BLOCKS if "groups" in b]
ALERT = {
    "__name__": "ALERTS",
    "alertname": "RedisMemoryHigh",
    "alertstate": "firing",
    "alert_type": "infra",
    "redis_master": "cache",
}


def series(labels: dict[str, str]) -> str:
    named = ", ".join(f"{k}={json.dumps(v)}" for k, v in labels.items() if k != "__name__")
    return f"{labels['__name__']}{{{named}}}"


def promtool(folder: Path, *given: dict[str, Any], at: str = "10m") -> subprocess.CompletedProcess[str]:
    """Runs one `promtool test rules`: with these input series, the rules of the docs fire exactly what is in `wanted`."""
    if not shutil.which("promtool"):
        pytest.skip("Debian's promtool is not installed")
    (folder / "rules.yml").write_text(yaml.safe_dump(RULES))
    [case] = given
    tests = [{"alertname": name, "eval_time": at, "exp_alerts": wanted} for name, wanted in case["wanted"].items()]
    test = {"interval": "30s", "input_series": case["series"], "alert_rule_test": tests}
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": [test]}))
    return subprocess.run(["promtool", "test", "rules", str(folder / "test.yml")], capture_output=True, text=True, check=False)


DOWN = {
    "exp_labels": {
        "alert_type": "infra",
        "team": "platform",
        "severity": "critical",
        "via": "fallback",
        "original": "SreAgentDown",
    },
    "exp_annotations": RULES["groups"][0]["rules"][0]["annotations"],
}
COPY = {
    "exp_labels": {"alert_type": "infra", "redis_master": "cache", "via": "fallback", "original": "RedisMemoryHigh"},
    "exp_annotations": {"summary": "RedisMemoryHigh fires while sre-agent is down"},
}
FIRING = {"series": series(ALERT), "values": "1x40"}
BEATS = {"series": "sre_agent_heartbeat_timestamp_seconds", "values": "0+30x40"}
STOPPED = {"series": "sre_agent_heartbeat_timestamp_seconds", "values": "0+30x4 _x36"}
STUCK = {"series": "sre_agent_heartbeat_timestamp_seconds", "values": "0+30x4 120x36"}
SENT = {"series": 'alertmanager_notifications_failed_total{integration="webhook"}', "values": "0x40"}
FAILED = {"series": 'alertmanager_notifications_failed_total{integration="webhook"}', "values": "0+1x40"}


@pytest.mark.parametrize(("inputs", "down"), [
    ([FIRING, BEATS, SENT], False),
    ([FIRING, BEATS], False),
    ([FIRING, STOPPED, SENT], True),
    ([FIRING, STUCK, SENT], True),
    ([FIRING, SENT], True),
    ([FIRING, BEATS, FAILED], True),
])  # fmt: skip
def test_while_the_agent_is_down_every_firing_alert_has_a_copy_and_otherwise_none(inputs, down: bool, tmp_path: Path) -> None:
    wanted = {"SreAgentDown": [DOWN] if down else [], "PagedWithoutSreAgent": [COPY] if down else []}
    ran = promtool(tmp_path, {"series": inputs, "wanted": wanted})
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_pause_shorter_than_the_rule_s_patience_copies_nothing(tmp_path: Path) -> None:
    short = {"series": "sre_agent_heartbeat_timestamp_seconds", "values": "0+30x10 300x5 480+30x25"}
    ran = promtool(tmp_path, {"series": [FIRING, short, SENT], "wanted": {"SreAgentDown": [], "PagedWithoutSreAgent": []}}, at="8m")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def routed(folder: Path, *labels: str) -> str:
    if not shutil.which("amtool"):
        pytest.skip("Debian's amtool is not installed")
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(CONFIG))
    checked = subprocess.run(
        ["amtool", "check-config", str(folder / "alertmanager.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    asked = ["amtool", "config", "routes", "test", f"--config.file={folder / 'alertmanager.yml'}", *labels]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_alertmanager_takes_the_configuration_and_only_copies_go_around_the_agent(tmp_path: Path) -> None:
    assert routed(tmp_path, "alertname=RedisMemoryHigh", "alert_type=infra") == "sre-agent"
    assert routed(tmp_path, "alertname=X") == "sre-agent"
    assert routed(tmp_path, "alertname=PagedWithoutSreAgent", "alert_type=infra", "via=fallback", "original=X") == "fallback"
    assert routed(tmp_path, *(f"{k}={v}" for k, v in {**DOWN["exp_labels"], "alertname": "SreAgentDown"}.items())) == "fallback"
