"""The investigation as a LangGraph; its only import of langgraph, made when a graph is built (it costs a second).

plan -> gather -> hypothesise -> ask -> (gather again, bounded) -> critique -> propose; without a model nothing is asked.
Every node only reads: one that is interrupted runs again from its top. State is JSON. Failures of sources and models are
data by the time they reach the graph, so no node is ever retried here.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.redact import redact_json
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.examine import Detector, examine
from sre_agent.investigation.fetch import fetch
from sre_agent.investigation.nodes.ask import answered, ask
from sre_agent.investigation.nodes.critique import critique
from sre_agent.investigation.nodes.gather import gather
from sre_agent.investigation.nodes.hypothesise import decided, hypothesise
from sre_agent.investigation.nodes.plan import plan
from sre_agent.investigation.nodes.propose import propose, rules_summary
from sre_agent.investigation.reasoner import Dialogue, Reasoner
from sre_agent.investigation.state import VERSION, State
from sre_agent.investigation.tools import Looks
from sre_agent.runbook.proposal import Basis, Investigated
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.triage import Triage

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

NOTHING = Spend()
STALE_AFTER = timedelta(minutes=5)  # a paused or finished thread older than this is started again
MOST_STEPS = 60  # far above 12 model calls with a gathering and a judging before each; a last stop, never the usual one


def build_investigator(
    sources: Sequence[EvidenceSource],
    detectors: Sequence[Detector],
    reasoner: Reasoner,
    runbooks: Sequence[Runbook],
    *,
    source_deadline_s: float,
    checkpointer: "BaseCheckpointSaver[str] | None" = None,
) -> "GraphInvestigator":
    """An investigator (see response.ports). `source_deadline_s` is per source, in seconds.

    Without a checkpointer nothing is remembered between calls (replay); with one, a crashed investigation
    continues where it was and pays for no model call twice; the one that was on its way is charged as lost.
    """
    looks = Looks(sources, source_deadline_s)
    graph = _compiled(looks, detectors, reasoner, runbooks, checkpointer)
    return GraphInvestigator(graph, sources, detectors, source_deadline_s, checkpointer)


def thread_id(thread: str) -> str:
    """The checkpoint's thread: a graph of another version never continues it."""
    return f"{thread}:graph-{VERSION}"


def _compiled(
    looks: Looks,
    detectors: Sequence[Detector],
    reasoner: Reasoner,
    runbooks: Sequence[Runbook],
    checkpointer: "BaseCheckpointSaver[str] | None",
) -> "CompiledStateGraph[State, None, State, State]":
    lock_down()
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import RetryPolicy

    never = RetryPolicy(max_attempts=1, retry_on=lambda _: False)
    graph = StateGraph(State)
    graph.add_node("plan", plan, retry_policy=never)
    graph.add_node("gather", gather(looks), retry_policy=never)
    graph.add_node("hypothesise", hypothesise(detectors, reasoner, runbooks), retry_policy=never)
    graph.add_node("ask", ask(reasoner), retry_policy=never)
    graph.add_node("critique", critique(runbooks), retry_policy=never)
    graph.add_node("propose", propose(runbooks), retry_policy=never)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "gather")
    graph.add_edge("gather", "hypothesise")
    graph.add_conditional_edges("hypothesise", decided, {True: "critique", False: "ask"})
    graph.add_conditional_edges("ask", answered, {True: "critique", False: "gather"})
    graph.add_edge("critique", "propose")
    graph.add_edge("propose", END)
    return graph.compile(checkpointer=checkpointer)


def warm() -> None:
    """Import now what building a graph needs: once before processes are forked, not once in each of them."""
    lock_down()
    import langgraph.graph  # noqa: F401


def lock_down() -> None:
    """Set before langgraph is first imported: checkpoints may hold plain data only, and nothing is traced out.

    The tracing variables are set over whatever the environment says: incident data leaves through our adapters
    or not at all.
    """
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
        os.environ[name] = "false"


class GraphInvestigator:
    """response.ports.Investigator over the compiled graph. Build it with build_investigator."""

    def __init__(
        self,
        graph: "CompiledStateGraph[State, None, State, State]",
        sources: Sequence[EvidenceSource],
        detectors: Sequence[Detector],
        source_deadline_s: float,
        checkpointer: "BaseCheckpointSaver[str] | None",
    ) -> None:
        self._graph = graph
        self._sources = tuple(sources)
        self._detectors = tuple(detectors)
        self._source_deadline_s = source_deadline_s
        self._checkpointer = checkpointer

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:
        """Gather, reason, propose. A crashed run of the same thread is continued while it is fresh.

        `spent` is what other investigations of this incident spent on a model: the ceilings hold for all of them.
        """
        start = State(
            scope=redact_json(scope.model_dump(mode="json")),
            triage=triage.model_dump(mode="json"),
            spent_before=spent.model_dump(mode="json"),
            spent_here=NOTHING.model_dump(mode="json"),
        )
        if self._checkpointer is None:
            return _result(await self._graph.ainvoke(start, {"recursion_limit": MOST_STEPS}))
        name = thread_id(thread)
        graph = self._graph.with_config({"recursion_limit": MOST_STEPS, "configurable": {"thread_id": name}})
        snapshot = await graph.aget_state({"configurable": {"thread_id": name}})
        if _usable(snapshot.values, scope):
            if snapshot.next:
                return _result(await graph.ainvoke(None, durability="sync"))
            if "investigated" in snapshot.values:
                return _result(snapshot.values)
        if _about(snapshot.values, scope):
            # INVARIANT: an investigation that is started again has spent what it spent, and what was on its way.
            start["spent_here"] = _owed(snapshot.values).model_dump(mode="json")
        # A new input on an old thread would start it again on top of the old state: clear it first.
        await self._checkpointer.adelete_thread(name)
        return _result(await graph.ainvoke(start, durability="sync"))

    async def spent(self, thread: str) -> Spend:
        """What the checkpoints say that this thread has spent on a model, with the call that may be on its way."""
        if self._checkpointer is None:
            return NOTHING
        snapshot = await self._graph.aget_state({"configurable": {"thread_id": thread_id(thread)}})
        return _owed(snapshot.values)

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """Gather and detect again, without the model; its claims of `before` are kept."""
        clean = Scope.model_validate(redact_json(scope.model_dump(mode="json")))
        evidence = await fetch(self._sources, clean, self._source_deadline_s)
        view = EvidenceView(scope=clean, evidence=evidence)
        examined = examine(view, self._detectors)
        unknown = Triage(labelled=AlertClass.UNKNOWN, alert_class=AlertClass.UNKNOWN, owner="", receiver="")
        return before.model_copy(
            update={
                "findings": examined.findings,
                "root_causes": examined.root_causes,
                "outcome": examined.outcome,
                "evidence": evidence,
                "summary": rules_summary(view, unknown, examined),
            }
        )


def _usable(values: dict[str, Any], scope: Scope) -> bool:
    """True for state of this version, about this incident, and not stale."""
    if not _about(values, scope):
        return False
    then = Scope.model_validate(values["scope"])
    return abs(scope.now - then.now) <= STALE_AFTER


def _about(values: dict[str, Any], scope: Scope) -> bool:
    """True for state of this version and about this incident."""
    if values.get("version") != VERSION or "scope" not in values:
        return False
    return Scope.model_validate(values["scope"]).incident.id == scope.incident.id


def _owed(values: dict[str, Any]) -> Spend:
    """What a thread's state says was spent in it."""
    if values.get("version") != VERSION or "dialogue" not in values:
        return NOTHING
    return Dialogue.model_validate(values["dialogue"]).owed


def _result(values: dict[str, Any]) -> Investigated:
    found = Investigated.model_validate(values["investigated"])
    if "said" not in values:  # a checkpoint of a version that did not keep it
        return found
    # SAFETY: what a model said may quote a secret, and so may a label: neither is kept before it is redacted.
    triage, said = redact_json(values["triage"]), redact_json(values["said"])
    basis = Basis(scope=values["scope"], triage=triage, planned=values["planned"], opinion=said)
    return found.model_copy(update={"basis": basis})
