"""What logs say of the things that a program needs: down, refusing, read-only, certificates, rights, pools, limits, settings.

Pure. Logs are what their writer wants them to be: class UNKNOWN, at most 0.6, and nothing else gets stronger by them. The
object is what is complained of, as a Service or workload where one of that name is here; who complains stands in the cause.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.addresses import service_named
from sre_agent.evidence.kubernetes.node_surroundings import owner_key
from sre_agent.evidence.kubernetes.service_map import ServiceMap, place
from sre_agent.evidence.kubernetes.state import ready, text
from sre_agent.evidence.logs.complaints import Said, complaints, stamp
from sre_agent.evidence.logs.pattern import without_stamp
from sre_agent.evidence.view import EvidenceView

MIN_SAID = 2
STILL = timedelta(minutes=10)
"""A complaint this much older than the log's newest line is over."""
FRESH_LINES = 60
"""Where lines carry no time: how near the end of the log a complaint must stand."""
MOST_FINDINGS, QUOTE = 12, 180
BASE, MOST = 0.5, 0.6
K = FindingKind
_OF_THE_CALLER = (K.POOL_EXHAUSTED, K.CONFIG_INVALID, K.PERMISSION_DENIED, K.BROKER_PARTITIONED)
_LOCAL = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104
_STORES = {
    "postgres": (
        "password authentication failed for user",
        "pg_hba",
        "connection slots",
        "clients already",
        "read-only transaction",
        "for table",
        "for relation",
    ),
    "redis": ("wrongpass", "noauth", "readonly you", "misconf", "max number of clients", "noperm"),
    "mysql": ("access denied for user", "too many connections", "--read-only", "--super-read-only", "max_user_connections"),
    "mongo": ("notwritableprimary", "not master", "bad auth"),
    "rabbitmq": ("access_refused",),
    "kafka": ("sasl authentication",),
}
_SAYS = {
    K.DEPENDENCY_DOWN: "{what} does not answer {who}",
    K.DEPENDENCY_REFUSES: "{what} turns {who} away",
    K.DEPENDENCY_READ_ONLY: "{what} refuses writes of {who}",
    K.CERTIFICATE_EXPIRED: "{who} does not accept the certificate of {what}",
    K.PERMISSION_DENIED: "{who} lacks a right",
    K.POOL_EXHAUSTED: "{who} has no free connection or worker left",
    K.RATE_LIMITED: "{what} refuses further calls of {who} for now",
    K.CONFIG_INVALID: "{who} does not accept its settings",
    K.BROKER_PARTITIONED: "the nodes of {who} lost each other",
}


@dataclass
class _Group:
    """Everything said of one object in one way."""

    what: str
    reasons: list[FindingReason | None] = field(default_factory=list)
    callers: dict[str, None] = field(default_factory=dict)
    evidence: dict[str, None] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    count: int = 0
    serious: bool = False
    line: str = ""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per complaint and object, the most often said first, at most MOST_FINDINGS."""
    logs = [(i, log) for i, log in view.logs() if isinstance(log, dict) and isinstance(log.get("lines"), list | tuple)]
    heard = [(i, log, said) for i, log in logs if (said := _standing(log, complaints(log["lines"]), view))]
    if not heard:
        return ()
    seen = readings.service_map(view)
    pods = {place(p): p for _, p in view.objects("Pod")}
    groups: dict[tuple[K, str, str], _Group] = {}
    for evidence_id, log, said in heard:
        namespace, name = str(log.get("namespace") or ""), str(log.get("pod") or "")
        pod = pods.get((namespace, name))
        kind, caller = ("", name) if pod is None else owner_key(pod)[1:]
        who = f"{(kind or 'pod').lower()}/{caller or 'unknown'}".lower()
        sick = bool(log.get("previous")) or (pod is not None and (readings.trouble_of(pod, view) is not None or not ready(pod)))
        for each in said:
            if each.complaint.kind is K.CONFIG_INVALID and not sick:
                continue
            thing, what = _object(each, namespace, who, seen)
            group = groups.setdefault((each.complaint.kind, thing, namespace), _Group(what))
            _add(group, each, who, evidence_id, serious=sick)
    told = [(key, g) for key, g in groups.items() if g.count >= MIN_SAID or g.serious]
    told.sort(key=lambda pair: (-pair[1].count, pair[0]))
    return tuple(_finding(key, group) for key, group in told[:MOST_FINDINGS])


def _standing(log: dict[str, object], said: tuple[Said, ...], view: EvidenceView) -> list[Said]:
    """The complaints that are not over: near the log's end, and not long before the onset. A previous run ended with them."""
    if not said:
        return []
    lines = log["lines"]
    newest = (
        next((at for x in reversed(lines[-50:]) if isinstance(x, str) and (at := stamp(x))), None)
        if isinstance(lines, list | tuple)
        else None
    )
    found = []
    for each in said:
        if each.at is None or newest is None:
            standing = bool(log.get("previous")) or each.index < FRESH_LINES
        else:
            standing = newest - said[0].at <= STILL if said[0].at is not None else True
            standing = standing and each.at >= view.scope.onset - timedelta(hours=1)
        if standing:
            found.append(each)
    return found


def _object(said: Said, namespace: str, who: str, seen: ServiceMap) -> tuple[str, str]:
    """(the finding's object, what to call it): a Service or workload of that name here, else the host as it was written."""
    if said.complaint.kind in _OF_THE_CALLER:
        return who, who
    host = said.host if said.host not in _LOCAL else ""
    shown = f"{said.host}:{said.port}" if said.port else said.host
    if host and (key := service_named(host, namespace, seen.services) or seen.by_address.get(host)) is not None:
        return f"service/{key[1]}".lower(), f"service {key[1]} ({shown})"
    if host:
        first = host.partition(".")[0]
        maker = next((w for (k, ns, n), w in seen.workloads.items() if ns == namespace and n == first), None)
        if maker is not None and not host[0].isdigit():
            return f"{text(maker[1], 'kind')}/{first}".lower(), shown
        return f"app/{host}", shown
    if said.host:
        return "app/localhost", f"{shown} (in its own pod)"
    store = next((name for name, words in _STORES.items() if any(w in said.line.lower() for w in words)), "")
    services = [n for ns, n in seen.services if ns == namespace and store and store[:5] in n.lower()]
    if len(services) == 1:
        return f"service/{services[0]}".lower(), f"service {services[0]}"
    return (f"app/{store}", store) if store else (who, "something that it calls")


def _add(group: _Group, said: Said, who: str, evidence_id: str, *, serious: bool) -> None:
    group.count += 1
    group.serious = group.serious or serious
    group.callers[who] = None
    group.evidence[evidence_id] = None
    group.reasons.append(said.complaint.reason)
    group.line = group.line or said.line
    if said.at is not None:
        group.times.append(said.at)


def _finding(key: tuple[K, str, str], group: _Group) -> Finding:
    kind, thing, namespace = key
    names = list(group.callers)
    who = ", ".join(n.replace("/", " ") for n in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    says = _SAYS[kind].format(what=group.what, who=who)
    strength = BASE + 0.05 * (len(names) > 1) + 0.05 * (group.count >= 5)
    return Finding(
        kind=kind,
        object=thing,
        namespace=namespace or None,
        cause=f"{says}, as its log says ({group.count} times): {without_stamp(group.line)[:QUOTE]}",
        reason=max(set(group.reasons), key=lambda r: (group.reasons.count(r), r or "")),
        onset=min(group.times, default=None),
        strength=round(min(MOST, strength), 3),
        evidence=tuple(group.evidence),
        refuted_by="a call from the same pod succeeds now, or somebody wrote the lines who knew that they would be read",
    )
