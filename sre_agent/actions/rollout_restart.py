"""rollout_restart: have a Deployment replace all its pods with new ones of the very same template, once.

As `kubectl rollout restart`: one annotation on the pod template. Refused when the new pods could differ from the old ones
in image or configuration: that would be a deploy. Steps, each recorded first: dry_run, restart (point of no return).
"""

from typing import Any

from sre_agent.evidence.kubernetes.deployment_conditions import WORDS, unmet_for_restart
from sre_agent.evidence.kubernetes.deployment_reading import read_deployment
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.kubernetes.pod_template import INTENT, RESTARTED_AT
from sre_agent.evidence.kubernetes.state import JsonObject, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent
from sre_agent.execution.rollout import MARGIN_S, WallClock, named, progress, reference, stamp, target_of, tools
from sre_agent.execution.single_write import Judged, SingleWrite
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target


class RolloutRestart:
    """See the module. `clock` dates how long pods have been unhealthy, and the annotation."""

    name = "rollout_restart"
    tier = 2
    undo = "none"
    rights = (("patch", "apps", "deployments"),)
    parameters = NoParameters

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or WallClock()

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """{namespace, name, uid, resource_version, generation, replicas, deadline_s}. Refused("deployment-...") per condition."""
        reader, _ = tools(bench)
        return named(await self._look(reader, target))

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Annotate the template as a dry run, look again, annotate it for real, follow the rollout."""
        return await self._write(intent, bench).do(bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look for our annotation and follow the rollout; never annotate again."""
        return await self._write(intent, bench).recover(intent, bench)

    def _write(self, intent: Intent, bench: Workbench) -> SingleWrite:
        before = intent.precondition
        reader, hands = tools(bench)
        notes = {RESTARTED_AT: stamp(self._clock.now()), INTENT: intent.key}

        async def look() -> Judged:
            seen = await self._look(reader, target_of(before))
            if named(seen)["generation"] != before["generation"]:
                raise Refused("deployment-changed", f"deployment {before['name']} was changed since the restart was decided")
            return Judged(text(seen.deployment, "metadata", "resourceVersion"))

        async def send(judged: Judged, dry_run: bool) -> object:
            return await hands.annotate_template(reference(before, judged.resource_version), notes, dry_run=dry_run)

        async def read() -> JsonObject | None:
            found = await reader.objects("Deployment", before["namespace"])
            return next((d for d in found if text(d, "metadata", "uid") == before["uid"]), None)

        return SingleWrite(
            what="the restart",
            step="restart",
            look=look,
            send=send,
            read=read,
            applied=lambda d: text(d, "spec", "template", "metadata", "annotations", INTENT) == intent.key,
            progress=lambda d, since: progress(d, since, "every pod was replaced"),
            within_s=before["deadline_s"] + MARGIN_S,
        )

    async def _look(self, reader: KubernetesReader, target: Target) -> DeploymentSurroundings:
        seen = await read_deployment(reader, target, configs=True)
        if seen is None:
            raise Refused("deployment-gone", f"there is no deployment {target.namespace}/{target.name} with uid {target.uid}")
        for rule in unmet_for_restart(seen, self._clock.now()):
            raise Refused(f"deployment-{rule}", f"deployment {target.name}: {WORDS[rule]}")
        if seen.restart_would_deploy:
            why = "new pods could get another image or configuration than the present ones: that would be a deploy"
            raise Refused("deployment-touches-behaviour", f"deployment {target.name}: {why}")
        return seen
