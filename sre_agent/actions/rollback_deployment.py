"""rollback_deployment: put the pod template of a Deployment's previous revision back, once.

As `kubectl rollout undo`. Refused where more than pinned images would change, or configuration was written since: that needs
whoever made the change. Steps, each recorded first: dry_run, rollback (point of no return).
"""

import asyncio
from typing import Any

from sre_agent.evidence.kubernetes.deployment_conditions import ROLLED_BACK_AT, WORDS, unmet_for_rollback
from sre_agent.evidence.kubernetes.deployment_reading import read_deployment
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings, revision
from sre_agent.evidence.kubernetes.pod_template import INTENT, bare, same
from sre_agent.evidence.kubernetes.state import JsonObject, dig, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent
from sre_agent.execution.rollout import MARGIN_S, WallClock, named, progress, reference, stamp, target_of, tools
from sre_agent.execution.single_write import Judged, SingleWrite
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target


class RollbackDeployment:
    """See the module. `clock` dates the change and the annotation."""

    name = "rollback_deployment"
    tier = 2
    undo = "none"
    rights = (("patch", "apps", "deployments"),)
    parameters = NoParameters

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """What `rollout.named` says, {from_revision, to_revision}, and to_uid: that of the previous ReplicaSet.

        Refused("deployment-...") per condition.
        """
        reader, _ = tools(bench)
        seen = await self._look(reader, target)
        to = {"to_revision": revision(seen.previous), "to_uid": text(seen.previous, "metadata", "uid")}
        return {**named(seen), "from_revision": revision(seen.current), **to}

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Replace the template as a dry run, look again, replace it for real, follow the rollout."""
        return await self._write(intent, bench).do(bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look for our mark and follow the rollout; never replace the template again."""
        return await self._write(intent, bench).recover(intent, bench)

    def _write(self, intent: Intent, bench: Workbench) -> SingleWrite:
        before = intent.precondition
        reader, hands = tools(bench)
        at = stamp(self._clock.now())
        done = f"back from revision {before['from_revision']} to {before['to_revision']}"

        async def look() -> Judged:
            seen = await self._look(reader, target_of(before))
            planned = (before["generation"], before["to_uid"])
            if (named(seen)["generation"], text(seen.previous, "metadata", "uid")) != planned:
                raise Refused("deployment-changed", f"deployment {before['name']} was changed since the rollback was decided")
            template = bare(dig(seen.previous, "spec", "template") or {})
            return Judged(text(seen.deployment, "metadata", "resourceVersion"), body=template)

        async def send(judged: Judged, dry_run: bool) -> object:
            notes = {INTENT: intent.key, ROLLED_BACK_AT: at}
            deployment = reference(before, judged.resource_version)
            return await hands.replace_template(deployment, judged.body, notes, dry_run=dry_run)

        async def read() -> JsonObject | None:
            lists = await asyncio.gather(*(reader.objects(k, before["namespace"]) for k in ("Deployment", "ReplicaSet")))
            found, wanted = (
                next((o for o in items if text(o, "metadata", "uid") == before[uid]), None)
                for items, uid in zip(lists, ("uid", "to_uid"), strict=True)
            )
            return {**found, "previous": wanted or {}} if found is not None else None

        return SingleWrite(
            what="the rollback",
            step="rollback",
            look=look,
            send=send,
            read=read,
            applied=lambda d: text(d, "metadata", "annotations", INTENT) == intent.key and _restored(d),
            progress=lambda d, since: progress(d, since, done),
            within_s=before["deadline_s"] + MARGIN_S,
        )

    async def _look(self, reader: KubernetesReader, target: Target) -> DeploymentSurroundings:
        seen = await read_deployment(reader, target, configs=True)
        if seen is None:
            raise Refused("deployment-gone", f"there is no deployment {target.namespace}/{target.name} with uid {target.uid}")
        for rule in unmet_for_rollback(seen, self._clock.now()):
            raise Refused(f"deployment-{rule}", f"deployment {target.name}: {WORDS[rule]}")
        if seen.rollback_would_deploy:
            why = "going back would change more than pinned images, or start other configuration than the old revision had"
            raise Refused("deployment-touches-behaviour", f"deployment {target.name}: {why}")
        return seen


def _restored(deployment: JsonObject) -> bool:
    """Whether the template is that of the previous ReplicaSet, read beside it: our mark alone outlives a change by others."""
    return same(dig(deployment, "previous", "spec", "template") or {}, dig(deployment, "spec", "template") or {})
