"""Where people sign for what was done about an incident beside what the agent had proposed: the only way that watching counts.

SAFETY: a person proved by their own token, of the team that owns the target, about a target that is declared and managed here
and now. What a case file declares about itself does not matter: the declarations in force do.
"""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from sre_agent.approval.teams import Teams
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Permanent, Refused
from sre_agent.policy.autonomy import SHADOW
from sre_agent.policy.bundle import Bundle, Declared
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Mode, Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.recorded import PARTS
from sre_agent.replay.shadow import Observation, Said, of_incident
from sre_agent.response.record import IncidentRecord
from sre_agent.response.store import Store
from sre_agent.settings import Settings
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import opened_state

AGENT = "sre-agent"


@dataclass(frozen=True)
class Signed:
    """What became of one observation. `why`: why it was not written, "" when it was."""

    observation: Observation
    why: str = ""


@dataclass(frozen=True)
class ShadowDesk:
    """Takes people's word about incidents that were left to them."""

    store: Store
    bundle: Bundle
    clock: Clock

    @property
    def declared(self) -> Declared:
        """What owners and operators wrote."""
        return self.bundle.declared

    async def observed(self, cases: Iterable[Observation], person: str, token: str) -> tuple[Signed, ...]:
        """Past cases that the person answers for, each written once, ever. Raises Refused when the token is not theirs."""
        self._proved(person, token)
        known = await self._known()
        return tuple([await self._sign(case, person, known) for case in cases])

    async def outcome(self, incident_id: str, said: Said, person: str, token: str) -> Signed:
        """A live incident's outcome. Raises Refused, and Permanent when there is no such incident."""
        self._proved(person, token)
        record = await self.store.load(incident_id)
        if record is None:
            raise Permanent(f"there is no incident {incident_id}")
        found = of_incident(record, said, self._in_auto(record))
        return await self._sign(found, person, await self._known())

    def _in_auto(self, record: IncidentRecord) -> Decision | None:
        """How the plan would be judged by the rules in force, had the agent been allowed to go as far as they let it."""
        if record.decision is None:
            return None
        request = record.decision.request
        try:
            asked = Situation.model_validate_json(json.dumps({part: request[part] for part in PARTS}))
        except (KeyError, TypeError, ValidationError):
            return None  # a request of another version
        facts = asked.facts.model_copy(update={"mode": Mode.AUTO})
        return Guard(self.bundle, AGENT, b"").decide(asked.model_copy(update={"facts": facts}))

    def _proved(self, person: str, token: str) -> None:
        if not Teams(self.declared.people).proves(person, token):
            raise Refused("shadow-unproved", f"the token does not belong to {person!r} (teams.yaml, cli_token_sha256)")

    async def _known(self) -> set[str]:
        """Incidents and contents of cases that somebody signed for already, whatever they were counted for."""
        entries = [record.entry for record in await self.store.audit(None) if record.entry.kind in SHADOW]
        contents = {str(e.detail.get("content_sha256")) for e in entries if e.detail.get("content_sha256")}
        return contents | {e.incident_id for e in entries if e.incident_id}

    async def _sign(self, found: Observation, person: str, known: set[str]) -> Signed:
        why = self._unsignable(found, person, known)
        if why:
            return Signed(found, why)
        await self.store.append_audit(found.signed(person, self.clock.now()))
        known |= {found.incident_id, found.content_sha256} - {""}
        return Signed(found)

    def _unsignable(self, found: Observation, person: str, known: set[str]) -> str:
        if found.agreed is None or found.target is None:
            return found.why
        declared = self.declared.targets.find(found.target)
        if not (declared.managed and declared.service and declared.service == found.service):
            return f"no managed target of service {found.service or '(none)'} is declared here for it (targets.yaml)"
        if person not in self.declared.people.teams.get(declared.team, ()):
            return f"{person} is not in the team that owns it ({declared.team}, teams.yaml)"
        if {found.incident_id, found.content_sha256} & known:
            return "somebody signed for this incident before: it counts once"
        return ""


@asynccontextmanager
async def open_shadow(settings: Settings) -> AsyncIterator[ShadowDesk]:
    """The desk over the configured database and bundle."""
    books = load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    async with opened_state(settings) as state:
        yield ShadowDesk(state.store, books.bundle, SystemClock())
