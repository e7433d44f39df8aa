"""The same rooms over recordings: what `replay` runs. Nothing here can write anywhere."""

from dataclasses import replace
from pathlib import Path

from sre_agent.evidence.source import EvidenceSource
from sre_agent.facts.breakers import NoHistory
from sre_agent.facts.kubernetes_deployment import KubernetesDeploymentFacts
from sre_agent.facts.kubernetes_node import KubernetesNodeFacts
from sre_agent.facts.kubernetes_target import KubernetesTargetFacts
from sre_agent.facts.modes import FixedMode
from sre_agent.facts.redis_target import RedisTargetFacts
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.reasoner import Opinion, Reasoner
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.policy.canonical import digest
from sre_agent.policy.declarations import Targets
from sre_agent.policy.facts import Mode
from sre_agent.replay.case import Case, load_case
from sre_agent.replay.case_file import CaseReader, MalformedCase
from sre_agent.replay.dry_run import DryRun, NeverHalted, NothingSpent
from sre_agent.replay.expectation import outcome_of
from sre_agent.replay.recorded import RecordedKubernetes, RecordedRedis, answering, recorded_sources
from sre_agent.replay.recording.again import AsItWas, FactsAsRecorded, LaterAnswers, RecordedReasoner
from sre_agent.replay.recording.recording import RECORDING, Recording, recording_of
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
    case, recording = load_case(folder), recording_of(CaseReader(folder))
    if recording is not None and recording.thinned:
        case = replace(case, warnings=(*case.warnings, f"{folder.name}: {recording.inexact}"))
    if as_recorded and recording is None:
        raise MalformedCase(f"{folder.name}: holds no recording of a decision ({RECORDING})")
    if as_recorded and recording is not None:
        run = as_it_was(settings, books, case, recording)
        return replace(run, outcome=outcome_of(folder), other_books=other_books(recording, books))
    sources = recorded_sources(case)
    assessor = _assessor(settings, books, case, sources, brain.reasoner(settings, [s.name for s in sources]))
    return DryRun(case, assessor, books.runbooks, outcome_of(folder))


def as_it_was(settings: Settings, books: Books, case: Case, recording: Recording) -> DryRun:
    """A recorded round, to be decided on what it was decided on then: nobody is asked, no model either."""
    case = replace(case, incident=recording.incident)
    basis, evidence = recording.judged.basis, case.evidence or ()
    if basis is None:
        assessor = _assessor(settings, books, case, recorded_sources(case), RulesReasoner())
    else:
        looked = evidence[basis.planned :]
        sources = (*answering(evidence[: basis.planned]), *((LaterAnswers(looked),) if looked else ()))
        said = RecordedReasoner(Opinion.model_validate(basis.opinion), looks=bool(looked))
        assessor = _assessor(settings, books, case, sources, said)
        assessor = replace(assessor, investigator=AsItWas(assessor.investigator, basis))
    return DryRun(
        case,
        replace(assessor, facts_for=FactsAsRecorded(recording.judged, assessor.facts_for)),
        books.runbooks,
        recording=recording,
    )


def files_of(books: Books) -> dict[str, str]:
    """sha256 (hex) of every policy, data file and runbook by its name, as recordings keep them."""
    runbooks = {f"runbooks/{name}.yaml": digest(book.model_dump(mode="json")) for name, book in books.runbooks.items()}
    return {**{f"policies/{name}": sha for name, sha in books.bundle.files.items()}, **runbooks}


def other_books(recording: Recording, books: Books) -> tuple[str, ...]:
    """What of the policies, their data and the runbooks is not as it was, one line each."""
    was, now, bundle = recording.books, files_of(books), recording.judged.decision.bundle_hash
    if not was:
        return () if bundle == books.bundle.hash else (f"policies: bundle {bundle[:12]} then, {books.bundle.hash[:12]} now",)
    words = {True: "changed since", False: "only in the recording"}
    gone = (f"{name}: {words[name in now]}" for name in sorted(was) if now.get(name) != was[name])
    return (*gone, *(f"{name}: new since" for name in sorted(now.keys() - was.keys())))


def _assessor(settings: Settings, books: Books, case: Case, sources: tuple[EvidenceSource, ...], reasoner: Reasoner) -> Assessor:
    investigator = build_investigator(
        sources,
        discovery.detectors(),
        reasoner,
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
    return brain.with_targets(brain.assessor(books, books.guard(KEY), investigator, found), targets)
