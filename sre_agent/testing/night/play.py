"""Plays the night, act by act, and checks every promise on the way."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sre_agent.replay.charts import Mark
from sre_agent.testing.night import script
from sre_agent.testing.night.checks import Ledger
from sre_agent.testing.night.stage import LIMIT_S, MASTER, Stage
from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_load import CountingWriter, WriteCount
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan
from sre_agent.testing.redis_trial import count_losses, plain_failover

Say = Callable[[str, str], None]
"""say(who, what): one line of progress."""

FINISHED = frozenset({"recovered", "handed_back", "no_action", "cancelled"})


@dataclass
class Night:
    """The state of the play. `marks` are moments for the chart; `moments` unix seconds by name."""

    stage: Stage
    say: Say
    checks: Ledger = field(default_factory=Ledger)
    marks: list[Mark] = field(default_factory=list)
    moments: dict[str, float] = field(default_factory=dict)
    incidents: dict[str, str] = field(default_factory=dict)
    counted: WriteCount | None = None
    control: WriteCount | None = None
    story: list[tuple[str, str]] = field(default_factory=list)
    """The Redis incident's own timeline: (HH:MM:SS, what happened)."""

    def play(self) -> None:
        """All acts in order. What does not hold is a check that failed; what cannot go on raises."""
        self.open()
        self.fall_sick()
        self.page()
        self.refuse()
        self.approve()
        self.recover()
        self.count()
        self.compare()
        self.recall()
        self.audit()

    def mark(self, name: str, text: str) -> None:
        """Remember the moment and show it in the chart."""
        self.moments[name] = time.time()
        self.marks.append(Mark(self.moments[name], text))

    def open(self) -> None:
        """The agent starts; Redis is healthy; the writer writes."""
        self.stage.agent.start()
        self.say("stage", f"Redis: 1 primary, 2 replicas, 3 sentinels are up; primary {self.stage.redis.primary}")
        self.stage.writer.start()
        self.stage.agent.wait_ready()
        self.say("agent", f"serving on {self.stage.agent.url} (embedded PostgreSQL, mode approve, reasoner rules)")
        self._resume()
        time.sleep(self.stage.shortened.baseline)
        p99 = self.stage.probe.quantile(0.99, 3.0) or 0.0
        self.say("stage", f"healthy baseline: p99 {p99 * 1000:.1f} ms, {self.stage.writer.acknowledged:,} writes acknowledged")

    def _resume(self) -> None:
        """A fresh install is halted: a person looks, and lets it act by their own token. Nobody else can."""
        agent = self.stage.agent
        stands = (agent.cli("status").stdout.splitlines() or ["no answer"])[0]
        self.say("agent", stands)
        word = ("resume", "--as", "ana", "--reason", "settings and targets looked at")
        forged = agent.cli(*word, SRE_AGENT_APPROVER_TOKEN="guessed")  # noqa: S106
        lifted = agent.cli(*word, SRE_AGENT_APPROVER_TOKEN=self.stage.tokens["ana"])
        self.say("ana", lifted.stdout.strip() or lifted.stderr.strip())
        held = "HALTED" in stands and forged.returncode != 0 and lifted.returncode == 0
        self.checks.add("A fresh install is halted until a person resumes it by their own token", held, stands)

    def fall_sick(self) -> None:
        """The primary stops 0.5 s of every 0.6 s: alive for Sentinel, useless for users. The alert waits its debounce."""
        self.stage.sickness.start()
        self.mark("sick", "primary sick")
        self.say("stage", "the primary's process is now stopped 0.5 s / running 0.1 s in turns; Sentinel sees it alive")
        self._wait("the alert to fire", 30.0, self._above_limit)
        time.sleep(self.stage.shortened.debounce)
        silent = all(told == self.stage.redis.primary for told in self.stage.redis.addresses_told())
        self.checks.add("Sentinel itself does not act on a primary that is sick but alive", silent)

    def _above_limit(self) -> bool:
        return (self.stage.probe.quantile(0.99, 3.0) or 0.0) > LIMIT_S

    def page(self) -> None:
        """PagerDuty sends its signed webhook; the agent investigates and asks."""
        self.incidents["redis"] = incident = script.slow_redis(self.stage)
        self.stage.pagerduty.trigger(incident)
        self.mark("webhook", "webhook")
        self.say("pagerduty", f"incident {incident} triggered; signed webhook sent")
        record = self._until(incident, frozenset({"awaiting_approval"}) | FINISHED)
        self.mark("asked", "asked")
        for line in str(record.get("summary", "")).splitlines():
            self.say("agent", line)
        verdict = f"{record['verdict']}, approvals needed: {record['approvals_required']} ({', '.join(record['policy_ids'])})"
        self.say("guard", verdict)
        asked = record["verdict"] == "needs_approval" and record["approvals_required"] == 2
        self.checks.add("A failover of a stateful store needs two people", asked, verdict)

    def refuse(self) -> None:
        """Two prompt regressions in the same minute: one labelled honestly, one labelled infra."""
        now = datetime.now(UTC)
        for labelled in ("model", "infra"):
            self.incidents[labelled] = incident = script.prompt_regression(self.stage, labelled, now)
            self.stage.pagerduty.trigger(incident)
            self.say("pagerduty", f"incident {incident}: intent accuracy fell after a prompt change, labelled {labelled}")
        for labelled in ("model", "infra"):
            self._refused(labelled)

    def _refused(self, labelled: str) -> None:
        incident = self.incidents[labelled]
        record = self._until(incident, FINISHED)
        self._wait("the incident to reach the AI engineers", 20.0, lambda: self._policy_of(incident) == "PAIENG1")
        self._wait("the note", 20.0, lambda: bool(self.stage.pagerduty.notes(incident)))
        self.say("guard", f"{incident}: {record['verdict']} ({', '.join(record['policy_ids'])}): {'; '.join(record['reasons'])}")
        refused = record["verdict"] == "hand_back" and record["alert_class"] == "model" and not record["actions"]
        self.checks.add(f"A prompt regression labelled {labelled} is refused", refused, ", ".join(record["policy_ids"]))
        notes = len(self.stage.pagerduty.notes(incident))
        handed = self._policy_of(incident) == "PAIENG1"
        self.checks.add(f"... annotated once and handed to the AI engineers ({labelled})", handed and notes == 1, f"{notes} note")
        note = "\n".join(self.stage.pagerduty.notes(incident)).splitlines()
        said = [line for line in note if line.startswith(("prompt intent-router: 42 -> 43", "Last changed by: Dev Example"))]
        self.checks.add(f"... with the change and who made it ({labelled})", len(said) == 2, "; ".join(said))

    def approve(self) -> None:
        """Two people press Approve in Slack; a forger, a stranger and a press that is sent twice count nothing."""
        slack = self.stage.buttons
        self._wait("the question in Slack", 20.0, slack.open)
        self.say("slack", f"#incidents: {slack.headline}")
        forged = slack.send(slack.signed("ben", secret="guessed"))  # noqa: S106
        slack.send(slack.signed("a stranger"))
        self._wait("the stranger to be told", 10.0, lambda: bool(slack.told("a stranger")))
        refused = slack.told("a stranger")[-1]
        self.say("slack", f"to the stranger alone: {refused}")
        untouched = self._approvers() == []
        self.checks.add("A forged press and a stranger's approve nothing", forged == 401 and untouched, f"{forged}; {refused}")
        press = slack.signed("ana")
        slack.send(press)
        self._wait("the first approval", 10.0, lambda: self._approvers() == ["ana"])
        self.say("ana", (slack.told("ana") or ["approved"])[-1])
        replayed = slack.send(press)
        self._wait("the replay to be answered", 10.0, lambda: len(slack.told("ana")) > 1)
        self.checks.add(
            "One person counts once, and a replayed press not at all", self._approvers() == ["ana"], slack.told("ana")[-1]
        )
        second = slack.send(slack.signed("ben"))
        self._wait("the second approval", 10.0, lambda: self._approvers() == ["ana", "ben"])
        self.mark("approved", "approved")
        self.say("ben", (slack.told("ben") or ["approved"])[-1])
        self.checks.add("Two people approved", replayed == second == 200, "ana and ben, by signed presses in Slack")

    def _approvers(self) -> list[str]:
        return list(self.stage.agent.incident(self.incidents["redis"]).get("approved_by", ()))

    def recover(self) -> None:
        """The hands act; the old primary stays sick until recovery has been measured."""
        incident = self.incidents["redis"]
        record = self._until(incident, frozenset({"verifying"}) | FINISHED)
        self.mark("executed", "failed over")
        for done in record["actions"]:
            measured = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in done["measured"].items())
            self.say("hands", f"{done['action']} on {done['target']}: {done['outcome']}. {done['result']} ({measured})")
        if record["state"] == "verifying":
            self._wait("latency under the limit", 30.0, lambda: (self.stage.probe.quantile(0.99, 2.0) or 9.0) < LIMIT_S)
            self.stage.pagerduty.clear_alerts(incident)
            self.say("pagerduty", "the alert's rule no longer holds (the incident stays open: it is not the agent's to resolve)")
        record = self._until(incident, FINISHED)
        self.mark("verified", "verified")
        self.say("agent", str(record["timeline"][-1]["text"]))
        took = self.moments["verified"] - self.moments["webhook"]
        self.checks.add("Recovery is verified by separate probes", record["state"] == "recovered", f"{took:.1f} s from webhook")
        still_open = self.stage.pagerduty.incident(incident)["status"] != "resolved"
        self.checks.add("The agent resolved nobody's incident", still_open)
        self._wait("Slack to show the end", 20.0, lambda: "ecovered" in self.stage.buttons.headline)
        self.say("slack", f"#incidents: {self.stage.buttons.headline}")
        shown = len(self.stage.buttons.messages) == 1 and not self.stage.buttons.open()
        self.checks.add("One message in Slack, updated in place to the end", shown, self.stage.buttons.headline)
        self.checks.add("Exactly one action was taken", len(record["actions"]) == 1, f"{len(record['actions'])} in the ledger")

    def count(self) -> None:
        """Every acknowledged write is looked for on the new primary, once the old one is a replica."""
        self.stage.sickness.stop()
        self.counted = c = count_losses(self.stage.redis, self.stage.writer, self.stage.redis.primary)
        measured = f"{c.acknowledged:,} acknowledged, {c.found:,} found, {c.lost} lost, {c.unknown} timed out (unknown)"
        self.say("writer", measured)
        self.checks.add("No acknowledged write is lost", c.lost == 0 and c.acknowledged > 0, measured)
        before = self._p99(self.moments["webhook"])
        after = self._p99(self.moments["verified"]) or 9.0
        levels = f"p99 {before * 1000:.0f} ms before, {after * 1000:.1f} ms after"
        # A busy host has its own hiccups; what is promised is that the sickness is over, not that the host is idle.
        self.checks.add("Latency is back", before > LIMIT_S and after < max(LIMIT_S, before / 2), levels)

    def _p99(self, at: float) -> float:
        return self.stage.probe.quantile(0.99, 3.0, at) or 0.0

    def compare(self) -> None:
        """The control: the same writer on a second, healthy topology, failed over the plain way."""
        self.say("control", "a second, healthy topology is failed over with plain SENTINEL FAILOVER")
        with RedisTopology(TopologyPlan(master=MASTER)) as other, CountingWriter(other.sentinels, MASTER) as writer:
            time.sleep(2.0)
            plain_failover(other)
            self.control = count_losses(other, writer, other.primary)
        measured = f"{self.control.acknowledged:,} acknowledged, {self.control.found:,} found, {self.control.lost} LOST"
        self.say("control", measured)
        self.checks.add("The control loses writes (else this proves nothing)", self.control.lost > 0, measured)

    def recall(self) -> None:
        """The flight recorder: the night's three incidents, decided once more from what was recorded, in a process of its own."""
        asked = [word for incident in self.incidents.values() for word in ("--incident", incident)]
        again = self.stage.agent.cli("replay", *asked)
        told = [line for line in again.stdout.splitlines() if "decided exactly as recorded" in line]
        self.say("replay", told[0] if told else again.stderr.strip() or again.stdout.strip())
        same = again.returncode == 0 and len(told) == len(self.incidents)
        measured = f"{len(told)} of {len(self.incidents)}"
        self.checks.add("The live incidents, replayed, are decided exactly as recorded", same, measured)

    def audit(self) -> None:
        """The record of all this holds together."""
        told = self.stage.agent.incident(self.incidents["redis"])["timeline"]
        self.story = [(str(entry["at"])[11:19], str(entry["text"])) for entry in told]
        notes = self.stage.pagerduty.notes(self.incidents["redis"])
        noted = notes[-1].rpartition("Audit record ")[2].split()[0] if notes else ""
        whole = self.stage.agent.cli("audit", "verify", "--anchor", noted)
        self.say("audit", whole.stdout.strip() or whole.stderr.strip())
        self.checks.add("The audit chain is whole, and as the note has it", whole.returncode == 0, whole.stdout.strip())
        self.checks.add("One living note, updated and never duplicated", len(notes) == 1, f"{len(notes)} note")
        old = ask(self.stage.redis.primary, "ROLE")
        self.checks.add("The old primary is a replica", isinstance(old, list | tuple) and str(old[0]).strip("b'") == "slave")

    def _policy_of(self, incident: str) -> str:
        return str(self.stage.pagerduty.incident(incident)["escalation_policy"]["id"])

    def _until(self, incident: str, states: frozenset[str], seconds: float = 60.0) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.stage.agent.incident(incident))
            return found.get("state") in states

        self._wait(f"incident {incident} to be {' or '.join(sorted(states))}", seconds, there)
        return found

    def _wait(self, what: str, seconds: float, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if holds():
                return
            time.sleep(0.1)
        raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{self.stage.agent.log_tail()}")
