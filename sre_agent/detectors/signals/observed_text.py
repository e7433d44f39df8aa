"""What other tools printed, read as far as it is plain: logs, references to nothing, what components and delivery tools said.

Pure. Text proves little: everything here is weaker than the same thing read from the cluster, and never adds to it. Pages of
documentation are not about this system, whatever they describe: they are left out. DNS_FAILING is read from the logs of pods
as well, where their own words are all there is.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.state import JsonObject, dig, text
from sre_agent.evidence.logs.complaints import complaints
from sre_agent.evidence.logs.pattern import without_stamp
from sre_agent.evidence.logs.requests import failing, slow
from sre_agent.evidence.logs.said_errors import SaidError, said_errors
from sre_agent.evidence.told.plain import unwrapped
from sre_agent.evidence.told.reading import told_by
from sre_agent.evidence.told.subject import is_page, subject_of
from sre_agent.evidence.view import EvidenceView

MIN_SAID = 2
MOST_ERRORS, QUOTE, LONG_QUOTE = 8, 160, 400
SHORTEST, ALL_QUOTES = 100, 540
"""Characters of one error, and of all that one finding quotes."""
SHORTEST_CORE = 25
_BEHIND = re.compile(r"[\s,;-]+\b(?:Query|Statement|SQL|Params|Parameters|Payload|Body|Time|Timestamp): .*$")
SHARE = 0.05
"""An error that was written once counts in a short log."""
MANY, ONE = 0.35, 0.28
_DNS = (
    "enotfound", "eai_again", "nameresolutionerror", "failed to resolve", "unable to resolve", "no such host", "servfail",
    "nxdomain", "name or service not known", "temporary failure in name resolution", "could not translate host name",
    "name does not resolve",
)  # fmt: skip
_POLICY = re.compile(r"NetworkPolicy/([\w.-]+)")
_MISSING = re.compile(r"\b([a-z]+) \"([\w.-]+)\" not found\b")
# What components of Kubernetes say in fixed words, wherever it is quoted: (pattern, kind, reason by word of the message).
_UNPLACED = re.compile(r"\d+/\d+ nodes are available: [^\"\n]{3,400}")
_UNPULLED = re.compile(r"Failed to pull image \"?([\w./:@-]+)\"?: ([^\n\[\]{}]{3,400}?)(?=\"[,\]}]|\n|$)")
_QUOTA = re.compile(r"exceeded quota: [^\"\n]{3,300}")
_DEVICE = re.compile(r"Insufficient ([\w.-]+/[\w-]+)")
_SYNC = re.compile(r"^Sync Status:\s+OutOfSync\b.*$", re.MULTILINE)
_SAID = re.compile(r"^(Health Status|Phase|Message|Sync Revision):\s+(\S.*)$", re.MULTILINE)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Findings from text, weak ones, and DNS_FAILING from text and logs."""
    told = [e for e in view.ok(EvidenceKind.TEXT) if isinstance(e.payload, dict) and not is_page(e.payload)]
    single = (
        f if f.object.startswith(("app/", "namespace/")) else f.model_copy(update={"namespace": _namespace(e)})
        for e in told
        for f in (*_missing(e), *_errors(e, view), *_out_of_sync(e), *_quoted(e, view))
    )
    return (*single, *_dns(view, told), *_closed(view, told))


def _missing(told: Evidence) -> Iterator[Finding]:
    """Something that a tool looked for, or that an object refers to, and that does not exist."""
    for kind, name in dict.fromkeys(_MISSING.findall(str(told.payload.get("output") or ""))):
        if kind in ("configmap", "secret", "namespaces", "serviceaccount", "storageclass", "persistentvolumeclaim", "service"):
            cause = f'{kind} "{name}" not found: something refers to it that does not exist'
            yield _text_finding(FindingKind.REFERENCE_MISSING, f"{kind.rstrip('s')}/{name}", cause, 0.45, (told.id,))


def _errors(told: Evidence, view: EvidenceView) -> Iterator[Finding]:
    """The distinct errors of a log with how often each was written, and its requests that fail or are slow."""
    log = told_by(told.payload).log
    if log is None:
        return
    lines = log["lines"]
    least = 1 if log["previous"] else MIN_SAID
    errors = [e for e in said_errors(lines) if e.thrown or e.count >= least or e.count >= SHARE * len(lines)]
    said = [(_who(e), _core(e.text)) for e in errors] + [("", words) for words in failing(lines)]
    subject = f"pod/{log['pod']}" if log["pod"] else subject_of(told.payload, view.scope.incident)
    if said:
        each = max(SHORTEST, min(LONG_QUOTE, ALL_QUOTES // len(said[:MOST_ERRORS])))
        more = f" | and {len(said) - MOST_ERRORS} more" if len(said) > MOST_ERRORS else ""
        cause = "its log holds errors: " + " | ".join(who + _cut(s, each) for who, s in said[:MOST_ERRORS]) + more
        # One error is often what a typed finding says better; several are an answer of their own.
        yield _text_finding(FindingKind.LOG_ERRORS, subject, cause, MANY if len(said) > 1 else ONE, (told.id,))
    elif late := slow(lines):
        cause = "its log tells of slow requests: " + " | ".join(late[:MIN_SAID])
        yield _text_finding(FindingKind.SERVICE_SLOW, subject, cause, ONE, (told.id,), R.SLOW)


def _who(error: SaidError) -> str:
    names = list(error.services)
    who = f" ({', '.join(names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''})" if names else ""
    return f"{error.count}x{who} "


def _core(text: str) -> str:
    """On one line, without the statement or parameters that a program quotes behind what went wrong."""
    line = " ".join(text.split())
    core = _BEHIND.sub("", line)
    return core if len(core) >= SHORTEST_CORE else line


def _cut(text: str, longest: int) -> str:
    """The beginning and, where it is too long, the end as well: there stands the cause of what is told first."""
    return text if len(text) <= longest else f"{text[: longest // 2]} ... {text[-(longest // 2 - 5) :]}"


def _out_of_sync(told: Evidence) -> Iterator[Finding]:
    """A delivery tool (Argo CD) says that what runs is not what it was told to run, and why."""
    output = unwrapped(str(told.payload.get("output") or ""))
    if (status := _SYNC.search(output)) is None:
        return
    name = re.search(r"^Name:\s+(?:[\w.-]+/)?([\w.-]+)", output, re.MULTILINE)
    more = "; ".join(f"{k.lower()}: {v[:LONG_QUOTE]}" for k, v in _SAID.findall(output))
    cause = f"{' '.join(status[0].split())}; {more}"
    yield _text_finding(FindingKind.DELIVERY_OUT_OF_SYNC, f"app/{name[1] if name else 'unknown'}", cause, 0.5, (told.id,))


def _quoted(told: Evidence, view: EvidenceView) -> Iterator[Finding]:
    """What a scheduler, a kubelet or a quota said in their own fixed words, quoted in whatever text."""
    output = str(told.payload.get("output") or "")
    subject = subject_of(told.payload, view.scope.incident)
    if m := max(_UNPLACED.finditer(output), key=lambda m: ("nsufficient" in m[0], len(m[0])), default=None):
        device = _DEVICE.search(m[0])
        what = f": not enough of {device[1]}, insufficient {device[1].rpartition('/')[2].upper()} resources" if device else ""
        reason = (
            R.EXTENDED_RESOURCE_SHORT if device else R.CPU_SHORT if "cpu" in m[0] else R.MEMORY_SHORT if "memory" in m[0] else None
        )
        cause = f"a pod of {subject} cannot be scheduled{what}: {m[0][:LONG_QUOTE]}"
        yield _text_finding(FindingKind.POD_UNSCHEDULABLE, subject, cause, 0.5, (told.id,), reason)
    if m := _UNPULLED.search(output):
        cause = f"{subject} cannot pull its image {m[1]}: {m[2][:LONG_QUOTE]}"
        yield _text_finding(FindingKind.POD_IMAGE_PULL_FAILED, subject, cause, 0.5, (told.id,))
    if m := _QUOTA.search(output):
        cause = f"pods of {subject} cannot be created: {m[0]}"
        yield _text_finding(FindingKind.POD_CREATION_REFUSED, subject, cause, 0.5, (told.id,), R.QUOTA_EXCEEDED)


def _dns(view: EvidenceView, told: list[Evidence]) -> Iterator[Finding]:
    logs = [(i, str(log.get("pod") or ""), str(line)) for i, log in view.logs() for line in log.get("lines") or ()]
    logs += [(e.id, str((e.payload.get("args") or {}).get("pod_name") or ""), line) for e in told for line in _lines(e)]
    failed = [(i, pod, line) for i, pod, line in logs if _unresolved(line)]
    if len(failed) < MIN_SAID:
        return
    _, pod, line = failed[-1]
    policies = {m: e.id for e in told for m in _POLICY.findall(str(e.payload.get("output") or ""))}
    policies |= {str(p.get("metadata", {}).get("name")): i for i, p in view.objects("NetworkPolicy")}
    why = f"; a network policy named {', '.join(sorted(policies))} applies here and may deny the way out" if policies else ""
    cause = f"DNS: names cannot be resolved ({len(failed)} times): {without_stamp(line)[:QUOTE]}{why}"
    cited = tuple(dict.fromkeys([*(i for i, _, _ in failed), *policies.values()]))
    yield _text_finding(FindingKind.DNS_FAILING, f"pod/{pod or 'unknown'}", cause, 0.55, cited)


def _closed(view: EvidenceView, told: list[Evidence]) -> Iterator[Finding]:
    """Policies that a text shows to let nothing through in one direction, while a log says that a call got no answer.

    By itself such a policy is often meant so, and whom it cuts off cannot be seen in text: both are told side by side.
    """
    policies = [(e, p) for e in told for p in told_by(e.payload).whole if p.get("kind") == "NetworkPolicy"]
    shut = [(e, p, ways) for e, p in policies if (ways := [d for d in ("Ingress", "Egress") if _shut(p, d)])]
    logs = [(i, log) for i, log in view.logs()] + [
        (e.id, log) for e in told if shut and (log := told_by(e.payload).log) is not None
    ]
    late = (
        [(i, s) for i, log in logs for s in complaints(log.get("lines") or ()) if s.complaint.reason is R.TIMED_OUT] if shut else []
    )
    for evidence, policy, ways in shut if late else ():
        name, said = text(policy, "metadata", "name"), late[0][1]
        where = f"{said.host}:{said.port}" if said.port else said.host
        pods = dig(policy, "spec", "podSelector", "matchLabels")
        whom = ",".join(f"{k}={v}" for k, v in pods.items()) if isinstance(pods, dict) and pods else "every pod"
        cause = (
            f"network policy {name} lets no {' or '.join(ways).lower()} through for {whom}, and calls to {where} time out: "
            f"{without_stamp(said.line)[:QUOTE]}"
        )
        found = _text_finding(FindingKind.NETWORK_POLICY_DENIES, f"networkpolicy/{name}", cause, 0.4, (evidence.id, late[0][0]))
        yield found.model_copy(update={"namespace": text(policy, "metadata", "namespace") or None})


def _shut(policy: JsonObject, direction: str) -> bool:
    types = dig(policy, "spec", "policyTypes")
    return isinstance(types, list) and direction in types and not dig(policy, "spec", direction.lower())


def _unresolved(line: str) -> bool:
    """Plain words in one pass each: logs have thousands of lines, and this is asked of every one of them."""
    low = line.lower()
    return any(word in low for word in _DNS)


def _lines(told: Evidence) -> list[str]:
    return str(told.payload.get("output") or "").splitlines() if "log" in str(told.payload.get("operation")) else []


def _namespace(told: Evidence) -> str | None:
    args = told.payload.get("args") or {}
    return str(args.get("namespace") or "") or None


def _text_finding(
    kind: FindingKind, name: str, cause: str, strength: float, cited: tuple[str, ...], reason: R | None = None
) -> Finding:
    refuted = "the text is old, or somebody wrote it who knew that it would be read"
    return Finding(
        kind=kind, object=name.lower(), cause=cause, strength=strength, evidence=cited, refuted_by=refuted, reason=reason
    )
