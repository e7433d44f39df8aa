"""What thinks and judges: bundle, guard, facts, investigator, put together as one Assessor."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from sre_agent.evidence.budget import Ceilings, Price
from sre_agent.execution.action import Readers
from sre_agent.facts.agent import AgentFacts
from sre_agent.facts.assemble import assemble
from sre_agent.facts.budgets import BudgetFacts
from sre_agent.facts.incident import IncidentFacts
from sre_agent.facts.kubernetes_deployment import KubernetesDeploymentFacts
from sre_agent.facts.kubernetes_node import KubernetesNodeFacts
from sre_agent.facts.kubernetes_target import KubernetesTargetFacts
from sre_agent.facts.patroni import PatroniFacts
from sre_agent.facts.queue import QueueFacts
from sre_agent.facts.redis_cluster import RedisClusterFacts
from sre_agent.facts.redis_target import RedisTargetFacts
from sre_agent.facts.targets import TargetFacts
from sre_agent.investigation.reasoner import Reasoner
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.declarations import Targets
from sre_agent.policy.facts import Budgets, FactCollector, Halt, ModeSource
from sre_agent.policy.guard import Guard
from sre_agent.policy.load import load_bundle
from sre_agent.response.assess import LOOKBACK, Assessor
from sre_agent.response.ports import Investigator
from sre_agent.runbook.load import load_runbooks
from sre_agent.runbook.runbook import Runbook
from sre_agent.settings import Reasoner as ReasonerChoice
from sre_agent.settings import Settings
from sre_agent.wiring import discovery

if TYPE_CHECKING:
    from sre_agent.adapters.tracing import Tracer
    from sre_agent.investigation.chat import ChatModel
    from sre_agent.investigation.model_reasoner import ModelReasoner

AGENT_ID = "sre-agent"


@dataclass(frozen=True)
class Books:
    """What was written by people and loaded at start: policies with their data, and runbooks by id."""

    bundle: Bundle
    runbooks: Mapping[str, Runbook]

    def guard(self, key: bytes) -> Guard:
        """A guard over this bundle that seals with `key`."""
        return Guard(self.bundle, AGENT_ID, key)


def load_books(policies: Path, data: Path | None, runbooks: Path) -> Books:
    """Both, or ConfigurationError naming file and line: the agent does not start on broken books."""
    known = discovery.parameters()
    return Books(load_bundle(policies, data), {r.id: r for r in load_runbooks(runbooks, known)})


def assessor(
    books: Books, guard: Guard, investigator: Investigator, found: Sequence[FactCollector], lookback: timedelta = LOOKBACK
) -> Assessor:
    """The rooms from triage to policy over these parts."""
    declared = books.bundle.declared
    return Assessor(
        lookback=lookback,
        investigator=investigator,
        guard=guard,
        facts_for=partial(assemble, tuple(found)),
        declarations=declared.targets.find,
        ownership=declared.ownership,
    )


def collectors(books: Books, modes: ModeSource, halt: Halt, budgets: Budgets, *, langfuse: bool) -> tuple[FactCollector, ...]:
    """The collectors every decision needs."""
    declared = books.bundle.declared
    return (
        IncidentFacts(langfuse=langfuse),
        AgentFacts(modes, halt, declared.freezes),
        BudgetFacts(budgets),
        TargetFacts(declared.protected),
    )


def target_collectors(readers: Readers) -> tuple[FactCollector, ...]:
    """Collectors of the kinds of target that can be looked at here."""
    found: list[FactCollector] = []
    if readers.redis is not None:
        found.append(RedisTargetFacts(readers.redis))
    if readers.kubernetes is not None:
        found += [KubernetesTargetFacts(readers.kubernetes), KubernetesDeploymentFacts(readers.kubernetes)]
        found.append(KubernetesNodeFacts(readers.kubernetes))
    if readers.redis_cluster is not None:
        found.append(RedisClusterFacts(readers.redis_cluster))
    if readers.patroni is not None:
        found.append(PatroniFacts(readers.patroni))
    if readers.queues is not None:
        found.append(QueueFacts(readers.queues))
    return tuple(found)


def with_targets(given: Assessor, targets: Targets) -> Assessor:
    """The same rooms with other declarations: a case brings its own."""
    return replace(given, declarations=targets.find)


def tracer(settings: Settings) -> "Tracer":
    """Where spans of the agent's own work go. Raises ConfigurationError when they are wanted and cannot be sent."""
    from sre_agent.adapters import tracing

    return tracing.tracer(settings.trace_url, {k: v.get_secret_value() for k, v in settings.trace_headers.items()})


def reasoner(settings: Settings, sources: Sequence[str], tracer: "Tracer | None" = None) -> Reasoner:
    """Rules, or a model with rules as its fallback. With a `tracer` each call of the model leaves a span."""
    if settings.effective_reasoner is ReasonerChoice.RULES:
        return RulesReasoner()
    return _model(settings, sources, tracer)


def _model(settings: Settings, sources: Sequence[str], tracer: "Tracer | None") -> "ModelReasoner":
    # Imported here: nobody without a model pays for its client.
    from sre_agent.adapters.openai import Endpoint, OpenAIChat
    from sre_agent.investigation.model_reasoner import ModelReasoner

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
    name = settings.openai_model or ""
    chat: ChatModel = OpenAIChat(Endpoint(model=name, api_key=SecretStr(key), base_url=settings.openai_base_url))
    ceilings = Ceilings(
        calls=min(settings.model_max_calls, 12),
        input_tokens=settings.model_max_tokens,
        seconds=settings.model_max_seconds,
        usd=settings.model_max_usd,
    )
    price = Price(
        input_usd_per_mtok=settings.model_usd_per_million_input, output_usd_per_mtok=settings.model_usd_per_million_output
    )
    if tracer is not None:
        from sre_agent.adapters.tracing import TracedChat

        chat = TracedChat(chat, tracer, name, price)
    return ModelReasoner(chat, sources, time.monotonic, ceilings, price)
