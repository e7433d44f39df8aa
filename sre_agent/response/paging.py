"""Tells people of incidents that no other system has paged for. Every method is one job's body, or part of one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.redact import redact
from sre_agent.handback.pager import Mail, Page, Pager
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent
from sre_agent.response import lifecycle
from sre_agent.response.own_incident import dedup_key
from sre_agent.response.paged import looked_at, mailed, over, sent, taken_back
from sre_agent.response.record import IncidentRecord, Step
from sre_agent.response.told import DigestLine, ToldAlerts
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Routing
from sre_agent.routing.routed import Notify, Routed

Lock = Callable[[str], AbstractAsyncContextManager[object]]
"""lock(key): held by one process at a time. Transient when somebody holds it."""

_SEVERITY = {
    "page": "critical",
    "critical": "critical",
    "error": "error",
    "warning": "warning",
    "ticket": "warning",
    "info": "info",
}
_SHOWN_LABELS = 40


@dataclass(frozen=True)
class Paging:
    """The waking part of the walk. `pager` None: nothing is configured to page with, which every page then says."""

    walk: Walk
    told: ToldAlerts
    routing: Routing
    lock: Lock
    pager: Pager | None = None
    public_url: str = ""

    async def look(self, incident_id: str, *, carrying: bool = False) -> IncidentRecord:
        """Decide anew who hears of the incident, and put the job on that carries it out (`carrying`: that is the caller)."""
        alerts = await self.told.alerts_of(incident_id)
        now = self.walk.clock.now()

        def decided(r: IncidentRecord) -> Step | None:
            return looked_at(r, alerts, self.routing, (now, carrying))

        record = await self.walk.advance(incident_id, decided)
        routed = record.routed
        if routed is not None and routed.notify is Notify.DIGEST and routed.until is not None:
            line = DigestLine(
                incident_id=incident_id, receiver=routed.receiver, due_at=routed.until, line=_line(record, routed, alerts)
            )
            await self.told.put_line(line)
        return record

    async def page(self, incident_id: str, digest: str = "") -> None:
        """Carry out what is decided now: page, e-mail, take a page back, or wait. `digest`: the receiver whose digest is due."""
        if digest:
            # What still fires is told once, and again only when its door tells of it again.
            await self._digest(digest)
            return
        record = await self.look(incident_id, carrying=True)
        routed, now = record.routed, self.walk.clock.now()
        if routed is None:
            return
        if over(record, record.memory, self.routing, now):
            await self._take_back(record)
        elif routed.notify is Notify.PAGE:
            await self._page(record, routed, await self.told.alerts_of(incident_id))
        elif routed.notify is Notify.EMAIL:
            await self._mail(record, routed, now)

    async def _page(self, record: IncidentRecord, routed: Routed, alerts: Sequence[Alert]) -> None:
        """INVARIANT: a page is safe to repeat (one key per incident), so it is sent first and remembered after."""
        # PagerDuty tells us of the incident that our page makes there; under this name it is known as this one.
        await self.told.claim((f"key:{dedup_key(record.id)}",), record.id, self.walk.clock.now())
        page = self._content(record, routed, alerts)
        reached, last = list[str](), None
        told = tuple(dict.fromkeys(r for r in (routed.receiver, *routed.escalate_to) if r not in record.memory.told))
        for receiver in told:
            try:
                reached.append(await self._reach(page, receiver))
            except Permanent as failed:
                last = failed
                await self._missed(record, receiver, failed)
        if not reached:
            raise last or Permanent(f"nobody could be paged for {record.id}")
        now = self.walk.clock.now()
        await self.walk.advance(record.id, lambda r: sent(r, tuple(reached), told, now))

    async def _reach(self, page: Page, receiver: str) -> str:
        """Page a receiver; where it cannot be paged for want of a key, the default one. Returns who was."""
        pager = self._pager()
        try:
            await pager.trigger(page.model_copy(update={"receiver": receiver}))
        except ConfigurationError:
            if receiver == self.routing.default_receiver:
                raise
            # Nothing accepted is ever lost: somebody is woken, and told whose it is.
            await pager.trigger(page.model_copy(update={"receiver": self.routing.default_receiver}))
            return self.routing.default_receiver
        return receiver

    async def _missed(self, record: IncidentRecord, receiver: str, failed: Permanent) -> None:
        text = redact(f"{receiver} could not be paged: {failed}")
        await self.walk.advance(record.id, lambda r: lifecycle.remark(r, "page_failed_for", text, self.walk.clock.now()))

    async def _take_back(self, record: IncidentRecord) -> None:
        pager = self._pager()
        for receiver in record.page.receivers if record.page else ():
            await pager.resolve(receiver, dedup_key(record.id))
        now = self.walk.clock.now()
        await self.walk.advance(record.id, lambda r: taken_back(r, now) if over(r, r.memory, self.routing, now) else None)

    async def _mail(self, record: IncidentRecord, routed: Routed, now: datetime) -> None:
        """SAFETY: an e-mail is not safe to repeat: where nobody knows whether it went out, it counts as sent, and says so."""
        subject = f"[sre-agent] {_title(record)}"
        text = f"{_title(record)}\n\n{chr(10).join(routed.reasons)}\n{lifecycle.page_of(record.id, self.public_url)}\n"
        mail = Mail(receiver=routed.receiver, subject=redact(subject), text=redact(text), message_id=f"{record.id}.{record.round}")
        try:
            await self._pager().mail(mail)
        except OutcomeUnknown as unknown:
            doubt = redact(f"it is unknown whether the e-mail went out: {unknown}")
            await self.walk.advance(record.id, lambda r: lifecycle.remark(r, "mail_unknown", doubt, now))
        await self.walk.advance(record.id, lambda r: mailed(r, routed.receiver, now))

    async def _digest(self, receiver: str) -> None:
        """One e-mail for all lines that are due to this receiver, whatever their number."""
        async with self.lock(f"digest/{receiver}"):
            await self._send_digest(receiver)

    async def _send_digest(self, receiver: str) -> None:
        now = self.walk.clock.now()
        lines = await self.told.lines_due(receiver, now)
        if not lines:
            return
        due = lines[-1].due_at
        text = "\n".join([f"{len(lines)} cost alerts:", "", *(line.line for line in lines)])
        mail = Mail(
            receiver=receiver,
            subject=f"[sre-agent] {len(lines)} cost alerts until {due:%Y-%m-%d %H:%M} UTC",
            text=redact(text),
            message_id=f"digest.{receiver}.{due:%Y%m%dT%H%M%SZ}",
        )
        try:
            await self._pager().mail(mail)
        except OutcomeUnknown as unknown:
            doubt = redact(f"it is unknown whether the digest to {receiver} went out: {unknown}")
            for line in lines:
                await self.walk.advance(line.incident_id, lambda r: lifecycle.remark(r, "mail_unknown", doubt, now))
        await self.told.lines_sent(lines, now)
        told = f"told in the digest to {receiver} with {len(lines)} lines"
        for line in lines:
            await self.walk.advance(line.incident_id, lambda r: lifecycle.remark(r, "digest_sent", told, now))

    def _pager(self) -> Pager:
        if self.pager is None:
            raise ConfigurationError(
                "nothing is configured to page with: set PAGERDUTY_ROUTING_KEYS (docs/paging.md), or let alerts come by PagerDuty"
            )
        return self.pager

    def _content(self, record: IncidentRecord, routed: Routed, alerts: Sequence[Alert]) -> Page:
        firing = [a for a in alerts if a.status.value == "firing"] or list(alerts)
        shared = set.intersection(*(set(a.labels.items()) for a in firing)) if firing else set()
        details = {name: redact(value) for name, value in sorted(shared)[:_SHOWN_LABELS]}
        details |= {"routing": ", ".join(routed.rule_ids), "owner": redact(routed.owner), "alerts": str(len(firing))}
        link = lifecycle.page_of(record.id, self.public_url)
        said = dict(shared).get("severity", "").lower()
        return Page(
            receiver=routed.receiver,
            dedup_key=dedup_key(record.id),
            summary=redact(f"[{routed.alert_class.value}] {_title(record)}")[:1024],
            severity=_SEVERITY.get(said, "critical"),
            at=self.walk.clock.now(),
            group=routed.group[:200],
            details=details,
            links=((link, "What the agent sees"),) if link else (),
        )


def _title(record: IncidentRecord) -> str:
    return record.title or f"incident {record.id}"


def _line(record: IncidentRecord, routed: Routed, alerts: Sequence[Alert]) -> str:
    ratios = [a.annotations.get("cost_ratio", "") for a in alerts]
    ratio = next((r for r in ratios if r), "")
    flags = f" [{', '.join(routed.flags)}]" if routed.flags else ""
    return redact(f"- {_title(record)}{f' ({ratio[:20]} times its baseline)' if ratio else ''}{flags}")
