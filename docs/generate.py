"""Writes the generated parts of docs/ from the code and the policies, so that they cannot drift.

`make docs` writes; tests/house/test_docs_parity.py fails when what is committed differs. Generated are whole files
(settings.md, findings.md) and blocks between `<!-- begin: NAME -->` and `<!-- end: NAME -->` in the others.
"""

import asyncio
import functools
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
import yaml

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from sre_agent.cli.main import app  # noqa: E402
from sre_agent.evidence.finding import EXPLANATIONS  # noqa: E402
from sre_agent.evidence.finding_reason import REASONS  # noqa: E402
from sre_agent.policy.bundle import Rule  # noqa: E402
from sre_agent.policy.load import examine  # noqa: E402
from sre_agent.policy.lock import SCHEMA  # noqa: E402
from sre_agent.response.paged import PAGED_THERE  # noqa: E402
from sre_agent.routing.rule import RULES  # noqa: E402
from sre_agent.settings import Settings  # noqa: E402
from sre_agent.wiring.doctor.registry import CHECKS  # noqa: E402

PAGED_THERE_SAYS = "the sender of the incident has paged already: annotated and handed over only"
SETTINGS_TEXT = """# Settings

Values come from, lowest first: the defaults below, a YAML file (`sre-agent --config sre-agent.yaml ...`, its keys are
the variable names), the environment. An empty variable counts as unset. A wrong value, an unknown key in the file, or
settings that contradict each other stop the agent at start with one line that names the variable; a secret's value is
never printed. `sre-agent settings` shows what is in force and where each value comes from.

Secrets belong in the environment, not in the file.

"""
REASONS_TEXT = """
## Reasons

Where it is known why a fault is there, the finding carries one word of this list as well. Nothing is decided by it.
`sre-agent findings --reasons` prints it.

"""
WALKTHROUGH_TEXT = """# Walkthrough: what the agent makes of an incident

Written from a dry run over the recorded incidents in `tests/incidents/` (`make docs`), so it says what the code does now.
Run one yourself: `sre-agent replay tests/incidents/redis-slow-primary`. For the same thing live, on real parts, run
`make demo`.

"""
WALKED = {
    "redis-slow-primary": "An infrastructure incident that may be acted on, once two people agree.",
    "pod-crash-loop": "A smaller step: one person is enough.",
    "redis-out-of-memory": "Infrastructure too, but acting would only move the trouble: handed back with a checklist.",
    "network-policy-blocks-dns": "Sick pods that no restart cures: the policy that cuts them off is named, and a person opens it.",
    "poisoned-logs": "Orders in logs, labels and annotations: the answer is the same as without them.",
    "prompt-regression-labelled-infra": "A prompt regression in infrastructure's clothes: refused, and sent to the AI engineers.",
    "untagged": "No label, no action, whatever the evidence says.",
}
"""The incidents of the walkthrough, and why each is in it."""

FINDINGS_TEXT = """# Findings

Every cause or symptom the agent can name; nothing outside this list can lead to an action. The class says whose problem
it is: only `infra` may ever be acted on, and only if the alert's own label says so too. `sre-agent findings` prints the
same list.

"""


def pages() -> dict[Path, str]:
    """Every file of docs/ that has generated parts, as it should read."""
    wanted = {DOCS / "settings.md": SETTINGS_TEXT + settings_table(), DOCS / "findings.md": FINDINGS_TEXT + findings_table()}
    wanted[DOCS / "walkthrough.md"] = WALKTHROUGH_TEXT + walkthrough()
    blocks = {
        "checks": checks_table(),
        "commands": commands_table(),
        "policies": policies_table(),
        "routing-rules": routing_rules_table(),
        "runbooks": runbooks_table(),
        "vocabulary": vocabulary_table(),
    }
    for path in sorted(DOCS.rglob("*.md")):
        if path not in wanted:
            wanted[path] = _filled(path.read_text(encoding="utf-8"), blocks)
    return wanted


def walkthrough() -> str:
    """The chosen incidents, dry-run: what arrived, what was decided, and the note that people would read."""
    from sre_agent.settings import fixed
    from sre_agent.wiring.recorded import dry_run, replay_books

    settings = fixed({"SRE_AGENT_REASONER": "rules"})
    books = replay_books(settings)
    parts = []
    for slug, why in WALKED.items():
        run = dry_run(settings, books, ROOT / "tests" / "incidents" / slug)
        result = asyncio.run(run.result())
        labels = ", ".join(f"`{k}={v}`" for k, v in sorted(run.case.incident.alerts[0].labels.items()))
        verdict = f"**{result.verdict.value}** by {', '.join(f'`{i}`' for i in result.policy_ids) or 'nobody: nothing to do'}"
        parts.append(f"## {slug}\n\n{why}\n\nIt arrives with {labels}. Verdict: {verdict}.\n\n```text\n{result.note}\n```\n")
    return "\n".join(parts)


def routing_rules_table() -> str:
    """Every rule of routing, in the order of precedence."""
    return _table(
        ("rule", "what it says"), [(f"`{rule}`", said) for rule, said in {**RULES, PAGED_THERE: PAGED_THERE_SAYS}.items()]
    )


def settings_table() -> str:
    """Every variable with default, meaning and why."""
    rows = []
    for field in Settings.model_fields.values():
        extra = field.json_schema_extra
        if not isinstance(extra, dict):
            raise SystemExit(f"{field.validation_alias}: declare it with env()")
        unit = f" ({extra['unit']})" if extra["unit"] else ""
        default = re.search(r"Default: (.*?)\. ", f"{field.description} ")
        rows.append(
            (f"`{field.validation_alias}`", f"{extra['what']}{unit}", default.group(1) if default else "", str(extra["why"]))
        )
    return _table(("variable", "what (unit)", "default", "why"), rows)


def findings_table() -> str:
    """The closed vocabulary."""
    rows = [(f"`{kind.value}`", owner.value, meaning) for kind, (owner, meaning) in EXPLANATIONS.items()]
    reasons = [(f"`{reason.value}`", meaning) for reason, meaning in REASONS.items()]
    return _table(("kind", "class", "meaning"), rows) + REASONS_TEXT + _table(("reason", "because"), reasons)


def commands_table() -> str:
    """Every command with its first line of help."""
    return _table(("command", "what it does"), [(f"`sre-agent {name}`", text) for name, text in commands()])


def commands() -> Iterator[tuple[str, str]]:
    """Every command, groups opened up, in the order of `--help`."""
    root = typer.main.get_command(app)
    for name, command in getattr(root, "commands", {}).items():
        inner = getattr(command, "commands", None)
        for part, sub in {"": command}.items() if inner is None else inner.items():
            yield f"{name} {part}".strip(), (sub.help or "").strip().split("\n")[0]


def checks_table() -> str:
    """Every check of `sre-agent doctor`, the settings without which there is nothing to check, and others it is about."""

    def named(variables: Sequence[str]) -> str:
        return ", ".join(f"`{v}`" for v in variables)

    return _table(
        ("check", "it holds that", "needs", "is also about"),
        [(f"`{c.full_name}`", c.what, named(c.needs), named(c.about)) for c in CHECKS],
    )


def policies() -> Iterator[tuple[str, str, str, str]]:
    """(file, id, outcome, reason) of every policy, in reading order."""
    for rule in rules():
        file = Path(rule.file).relative_to(ROOT / "policies").as_posix()
        yield file, rule.id, rule.outcome.value if rule.outcome else rule.effect, rule.reason


@functools.cache
def rules() -> tuple[Rule, ...]:
    """The shipped policies, locked or not."""
    bundle, wrong = examine(ROOT / "policies", locked=False)
    if bundle is None:
        raise SystemExit("\n".join(wrong))
    return tuple(bundle.rules.values())


def vocabulary_table() -> str:
    """Everything a rule about the agent can read: its path, what it holds, and who reads it."""
    schema = (ROOT / "policies" / SCHEMA).read_text(encoding="utf-8")
    enums = {name: ", ".join(re.findall(r'"(\w+)"', body)) for name, body in re.findall(r"entity (\w+) enum \[(.*?)\]", schema)}
    kinds = {"Bool": "true or false", "Long": "number", "String": "text", "Set<String>": "set of texts", "Team": "team"}
    rows = []
    for prefix, entity in (("resource", "Workload"), ("context.facts", "Facts"), ("context.claims", "Claims")):
        (body,) = re.findall(rf"entity {entity} = \{{(.*?)\}};", schema, flags=re.DOTALL)
        for name, kind in re.findall(r"^\s*(\w+): ([\w<>]+),", body, flags=re.MULTILINE):
            path = f"{prefix}.{name}"
            readers = ", ".join(f"`{r.id}`" for r in rules() if path in r.reads and "approve" not in r.actions)
            rows.append((f"`{path}`", enums.get(kind, kinds.get(kind, kind)), readers))
    return _table(("path", "holds", "read by"), [*rows, ("`context.approvals`", "number, 0 to 2", "every tier")])


def policies_table() -> str:
    """Every policy id and its reason."""
    rows = [(f"`{name}`", outcome, reason, f"`{file}`") for file, name, outcome, reason in policies()]
    return _table(("id", "outcome", "reason shown to people", "file"), rows)


def runbooks_table() -> str:
    """Every runbook: what it answers to, and what it would do."""
    rows = []
    for path in sorted((ROOT / "runbooks").glob("*.yaml")):
        book = yaml.safe_load(path.read_text(encoding="utf-8"))
        matches = ", ".join(f"`{kind}`" for kind in book["findings"])
        action = f"`{book['action']}`" if book.get("action") else "hand back with a checklist"
        rows.append((f"`{book['id']}`", book["title"], matches, action))
    return _table(("runbook", "title", "findings", "action"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _filled(text: str, blocks: dict[str, str]) -> str:
    """The page with each of its blocks written again. An unknown block is an error."""

    def fill(match: re.Match[str]) -> str:
        return f"<!-- begin: {match[1]} -->\n{blocks[match[1]]}<!-- end: {match[1]} -->"

    return re.sub(r"<!-- begin: ([a-z-]+) -->\n.*?<!-- end: \1 -->", fill, text, flags=re.DOTALL)


if __name__ == "__main__":
    for page, wanted_text in pages().items():
        if not page.exists() or page.read_text(encoding="utf-8") != wanted_text:
            page.write_text(wanted_text, encoding="utf-8")
            print(f"written: {page.relative_to(ROOT)}")
