"""scale_up: want a few replicas more of a Deployment, once, through the scale subresource.

Half as many again, at most two, never beyond the ceiling its owners wrote on it; never down. Steps, each recorded first:
dry_run, scale (point of no return).
"""

from typing import Any

from sre_agent.evidence.kubernetes.deployment_conditions import WORDS, added_replicas, unmet_for_scale_up
from sre_agent.evidence.kubernetes.deployment_reading import read_deployment
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.kubernetes.state import JsonObject, number, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent
from sre_agent.execution.rollout import named, progress, reference, target_of, tools
from sre_agent.execution.single_write import Judged, SingleWrite
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target

READY_WITHIN_S = 300.0


class ScaleUp:
    """See the module."""

    name = "scale_up"
    tier = 2
    undo = "none"
    rights = (("patch", "apps", "deployments/scale"),)
    parameters = NoParameters

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """What `rollout.named` says, and {wanted: replicas afterwards}. Refused("deployment-...") per condition."""
        reader, _ = tools(bench)
        seen = await self._look(reader, target)
        return {**named(seen), "wanted": seen.replicas + added_replicas(seen.replicas)}

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Scale as a dry run, look again, scale for real, wait for the new replicas."""
        return await self._write(intent, bench).do(bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look whether so many replicas are wanted now, whoever said so; never scale again."""
        return await self._write(intent, bench).recover(intent, bench)

    def _write(self, intent: Intent, bench: Workbench) -> SingleWrite:
        before = intent.precondition
        reader, hands = tools(bench)

        async def look() -> Judged:
            seen = await self._look(reader, target_of(before))
            if named(seen)["generation"] != before["generation"]:
                raise Refused("deployment-changed", f"deployment {before['name']} was changed since the scaling was decided")
            return Judged(text(seen.deployment, "metadata", "resourceVersion"))

        async def send(judged: Judged, dry_run: bool) -> object:
            return await hands.scale(reference(before, judged.resource_version), before["wanted"], dry_run=dry_run)

        async def read() -> JsonObject | None:
            found = await reader.objects("Deployment", before["namespace"])
            return next((d for d in found if text(d, "metadata", "uid") == before["uid"]), None)

        return SingleWrite(
            what="the scaling",
            step="scale",
            look=look,
            send=send,
            read=read,
            # The scale subresource carries no mark of ours: so many replicas wanted is the effect, and is never asked for twice.
            applied=lambda d: number(d, "spec", "replicas") == before["wanted"],
            progress=lambda d, since: progress(d, since, f"scaled from {before['replicas']} to {before['wanted']}"),
            within_s=READY_WITHIN_S,
        )

    async def _look(self, reader: KubernetesReader, target: Target) -> DeploymentSurroundings:
        seen = await read_deployment(reader, target, configs=True, cluster=True)
        if seen is None:
            raise Refused("deployment-gone", f"there is no deployment {target.namespace}/{target.name} with uid {target.uid}")
        for rule in unmet_for_scale_up(seen):
            raise Refused(f"deployment-{rule}", f"deployment {target.name}: {WORDS[rule]}")
        if seen.restart_would_deploy:
            why = "new pods could get another image or configuration than the present ones: that would be a deploy"
            raise Refused("deployment-touches-behaviour", f"deployment {target.name}: {why}")
        return seen
