"""What other tools printed, read as far as it is plain: logs, references to nothing, and names that cannot be resolved.

Pure. Text proves little: everything here is weaker than the same thing read from the cluster, and never adds to it.
DNS_FAILING is read from the logs of pods as well, where their own words are all there is.
"""

import re
from collections import Counter
from collections.abc import Iterator

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.log_pattern import is_error, pattern, without_stamp
from sre_agent.evidence.view import EvidenceView

MIN_SAID = 2
MOST_ERRORS, QUOTE = 12, 160
_DNS = re.compile(
    r"ENOTFOUND|EAI_AGAIN|NameResolutionError|Failed to resolve|unable to resolve|no such host|"
    r"Name or service not known|Temporary failure in name resolution|could not translate host name|SERVFAIL|NXDOMAIN",
    re.IGNORECASE,
)
_POLICY = re.compile(r"NetworkPolicy/([\w.-]+)")
_MISSING = re.compile(r"\b([a-z]+) \"([\w.-]+)\" not found\b")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Findings from text, weak ones, and DNS_FAILING from text and logs."""
    told = [e for e in view.ok(EvidenceKind.TEXT) if isinstance(e.payload, dict)]
    return (*(f for e in told for f in (*_missing(e), *_errors(e))), *_dns(view, told))


def _missing(told: Evidence) -> Iterator[Finding]:
    """Something that a tool looked for, or that an object refers to, and that does not exist."""
    for kind, name in dict.fromkeys(_MISSING.findall(str(told.payload.get("output") or ""))):
        if kind in ("configmap", "secret", "namespaces", "serviceaccount", "storageclass"):
            cause = f'{kind} "{name}" not found: something refers to it that does not exist'
            yield _text_finding(FindingKind.REFERENCE_MISSING, f"{kind.rstrip('s')}/{name}", cause, 0.45, (told.id,))


def _errors(told: Evidence) -> Iterator[Finding]:
    """The errors of a log, each pattern once, with how often it was written."""
    args = told.payload.get("args") or {}
    pod = str(args.get("pod_name") or args.get("pod") or "")
    if "log" not in str(told.payload.get("operation")) or not pod:
        return
    lines = str(told.payload.get("output") or "").splitlines()
    errors = [line for line in lines if is_error(line) or "failed" in line.lower()]
    counted = Counter(pattern(line) for line in errors)
    first = {pattern(line): without_stamp(line)[:QUOTE] for line in reversed(errors)}
    said = [f"{n}x {first[p]}" for p, n in counted.most_common(MOST_ERRORS) if n >= MIN_SAID]
    if said:
        yield _text_finding(FindingKind.LOG_ERRORS, f"pod/{pod}", "its log holds errors: " + " | ".join(said), 0.35, (told.id,))


def _dns(view: EvidenceView, told: list[Evidence]) -> Iterator[Finding]:
    logs = [(i, str(log.get("pod") or ""), str(line)) for i, log in view.logs() for line in log.get("lines") or ()]
    logs += [(e.id, str((e.payload.get("args") or {}).get("pod_name") or ""), line) for e in told for line in _lines(e)]
    failed = [(i, pod, line) for i, pod, line in logs if _DNS.search(line)]
    if len(failed) < MIN_SAID:
        return
    _, pod, line = failed[-1]
    policies = {m: e.id for e in told for m in _POLICY.findall(str(e.payload.get("output") or ""))}
    policies |= {str(p.get("metadata", {}).get("name")): i for i, p in view.objects("NetworkPolicy")}
    why = f"; a network policy named {', '.join(sorted(policies))} applies here and may deny the way out" if policies else ""
    cause = f"DNS: names cannot be resolved ({len(failed)} times): {without_stamp(line)[:QUOTE]}{why}"
    cited = tuple(dict.fromkeys([*(i for i, _, _ in failed), *policies.values()]))
    yield _text_finding(FindingKind.DNS_FAILING, f"pod/{pod or 'unknown'}", cause, 0.55, cited)


def _lines(told: Evidence) -> list[str]:
    return str(told.payload.get("output") or "").splitlines() if "log" in str(told.payload.get("operation")) else []


def _text_finding(kind: FindingKind, name: str, cause: str, strength: float, cited: tuple[str, ...]) -> Finding:
    refuted = "the text is old, or somebody wrote it who knew that it would be read"
    return Finding(kind=kind, object=name.lower(), cause=cause, strength=strength, evidence=cited, refuted_by=refuted)
