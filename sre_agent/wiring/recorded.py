"""The same rooms over recordings: what `replay` runs. Nothing here can write anywhere."""

from pathlib import Path

from sre_agent.facts.breakers import NoHistory
from sre_agent.facts.kubernetes_deployment import KubernetesDeploymentFacts
from sre_agent.facts.kubernetes_node import KubernetesNodeFacts
from sre_agent.facts.kubernetes_target import KubernetesTargetFacts
from sre_agent.facts.modes import FixedMode
from sre_agent.facts.redis_target import RedisTargetFacts
from sre_agent.investigation.graph import build_investigator
from sre_agent.policy.declarations import Targets
from sre_agent.policy.facts import Mode
from sre_agent.replay.case import load_case
from sre_agent.replay.case_file import MalformedCase
from sre_agent.replay.dry_run import DryRun, NeverHalted, NothingSpent
from sre_agent.replay.expectation import outcome_of
from sre_agent.replay.recorded import RecordedKubernetes, RecordedRedis, recorded_sources
from sre_agent.response.assess import Assessor
from sre_agent.settings import Settings
from sre_agent.wiring import brain, discovery
from sre_agent.wiring.brain import Books

KEY = b"no permit is ever minted in a replay"


def replay_books(settings: Settings) -> Books:
    """Policies and runbooks as configured. Raises ConfigurationError."""
    return brain.load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)


def dry_run(settings: Settings, books: Books, folder: Path, *, as_recorded: bool = False) -> DryRun:
    """One case folder, ready to run. Raises MalformedCase naming file, line and field.

    `as_recorded`: on the facts that the recording holds. Without it the mode is auto and nothing was done before.
    """
    if as_recorded:
        raise MalformedCase(f"{folder.name}: holds no recording of a decision")
    case = load_case(folder)
    sources = recorded_sources(case)
    investigator = build_investigator(
        sources,
        discovery.detectors(),
        brain.reasoner(settings, [s.name for s in sources]),
        tuple(books.runbooks.values()),
        source_deadline_s=settings.source_deadline,
    )
    declared = books.bundle.declared
    targets = declared.targets if case.targets is None else Targets(case.targets)
    found = (
        *brain.collectors(books, FixedMode(Mode.AUTO), NeverHalted(), NothingSpent(), langfuse=case.langfuse is not None),
        NoHistory(),
        RedisTargetFacts(RecordedRedis(case)),
        KubernetesTargetFacts(RecordedKubernetes(case)),
        KubernetesDeploymentFacts(RecordedKubernetes(case)),
        KubernetesNodeFacts(RecordedKubernetes(case)),
    )
    assessor: Assessor = brain.assessor(books, books.guard(KEY), investigator, found)
    return DryRun(case, brain.with_targets(assessor, targets), books.runbooks, outcome_of(folder))
