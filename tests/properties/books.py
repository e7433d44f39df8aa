"""What the agents of the histories are started with: the shipped bundle over their own declarations, a stricter one, runbooks."""

from dataclasses import dataclass, replace

from sre_agent.policy.bundle import Bundle, Rule
from sre_agent.policy.decision import Verdict
from sre_agent.policy.engine import CedarEngine
from sre_agent.policy.load import load_bundle
from sre_agent.policy.people import People
from sre_agent.policy.request import Answers, Question
from sre_agent.runbook.load import load_runbooks
from tests.path.scenes import ROOT
from tests.properties.world import World

POLICIES = ROOT / "policies"
RUNBOOKS = {r.id: r.model_copy(update={"soak_s": 6, "within_s": 12}) for r in load_runbooks(ROOT / "runbooks")}
SOURCES = {path.name: path.read_text() for path in sorted(POLICIES.glob("*.cedar*"))}
PLAIN = load_bundle(POLICIES, ROOT / "tests/properties/declared")
TOKENS = {p.id: f"token of {p.id}" for p in PLAIN.declared.people.people}
MEMBERS = frozenset(PLAIN.declared.people.teams["platform"])


def stricter(bundle: Bundle, *forbids: tuple[str, str]) -> Bundle:
    """The bundle with more forbids: (id, the condition after `when`). Another bundle, so another hash."""
    scope = 'forbid (principal, action in Sre::Action::"runbook", resource)'
    texts = [f'@id("{i}")\n@outcome("deny")\n@reason("tried")\n{scope}\nwhen {{ {condition} }};' for i, condition in forbids]
    policies = "\n".join([*(t for n, t in SOURCES.items() if n.endswith(".cedar")), *texts])
    rules = {i: Rule(i, "forbid", Verdict.DENY, "tried", ("runbook",), frozenset(), "made", 1) for i, _ in forbids}
    engine = CedarEngine(SOURCES["schema.cedarschema"], policies)
    return replace(bundle, hash=f"{bundle.hash[:40]}+{'+'.join(rules)}", rules={**bundle.rules, **rules}, engine=engine)


STRICT = stricter(PLAIN, ("never-sales", 'resource.namespace == "sales"'))
BUNDLES = {"plain": PLAIN, "strict": STRICT}


@dataclass(frozen=True)
class FlakyEngine:
    """A policy engine that raises whatever its world says it should."""

    engine: CedarEngine
    world: World

    def evaluate(self, question: Question) -> Answers:
        """The engine's answer, unless the world has a fault for it."""
        if self.world.engine_fault is not None:
            raise self.world.engine_fault
        return self.engine.evaluate(question)


def with_tokens(people: People, digest: dict[str, str]) -> People:
    """The declared people, each with the digest of a token of their own."""
    known = tuple(p.model_copy(update={"cli_token_sha256": digest[p.id]}) for p in people.people)
    return people.model_copy(update={"people": known})
