"""What tools beside kubectl print of a fault, read by the form of the text and not by the tool's name. Pure.

Helm, Argo CD, istioctl, rabbitmqctl, kafka-consumer-groups, redis-cli INFO, psql tables, openssl x509, curl -v, kubectl top. Every
pattern is bounded; what does not have the form says nothing. Formats are those of the tools' own current releases.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sre_agent.evidence.finding_kind import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.cluster_room import quantity
from sre_agent.evidence.told.report import Asked, Report
from sre_agent.evidence.told.tables import table

QUOTE, MOST = 300, 5
LAG = 1_000
FULL = 95
_FIELD = re.compile(r"^([A-Z][A-Za-z ]{2,30}):[ \t]+(\S.*)$", re.MULTILINE)
_WELL = ("Ready", "Available", "Synced", "Healthy", "Reconciled")
_UNWELL = ("Degraded", "Missing", "Suspended")
_CONDITION = re.compile(r"^(\w*(?:Error|Warning))\s{2,}(\S.*?)(?:\s{2,}\S.*)?$", re.MULTILINE)
_HELM_BAD = ("failed", "pending-upgrade", "pending-install", "pending-rollback", "uninstalling")
_HELM = re.compile(r"^NAME:[ \t]+(\S+)\n(?:.*\n){0,4}?STATUS:[ \t]+(\S+)(?:\n(?:.*\n){0,2}?DESCRIPTION:[ \t]+(.+))?", re.MULTILINE)
_ANALYZED = re.compile(r"^Error \[(IST\d{4})\] \((\w+) (?:([\w-]+)/)?([\w.-]+)[^)]*\) (.+)$", re.MULTILINE)
_PARTITION = re.compile(r"^Node (\S+) cannot communicate with (\S.*)$", re.MULTILINE)
_INFO = re.compile(r"^([a-z][a-z0-9_]{2,40}):(\S+)\s*$", re.MULTILINE)
_NOT_AFTER = re.compile(r"(?:notAfter ?=|Not After ?:|expire date:) ?(\w{3} +\d{1,2} [\d:]{8} \d{4}) GMT")
_COMMON_NAME = re.compile(r"subject[:=].{0,120}?CN ?= ?([\w.*-]+)", re.IGNORECASE)
_BACKEND = re.compile(
    r"^[ \t]{1,60}(?:(/\S{0,200})[ \t]{1,60})?([\w.-]+:\S+) \(<error: (\w+) \"([\w.-]+)\" not found>\)", re.MULTILINE
)
_CUSTOM = re.compile(r"^API Version: +\S+\nKind: +(\w+)$", re.MULTILINE)
_STATE = re.compile(
    r"(?:^ +Message: +(?P<said>\S.*)\n)?(?:^ +Observed Generation:.*\n)?^ +Reason: +(?P<why>\S.*)\n"
    r"^ +Status: +(?P<is>True|False|Unknown)\n^ +Type: +(?P<type>\w+)$",
    re.MULTILINE,
)
_FORMS = re.compile(
    r"^(?:Sync Status:|REVISION\s+UPDATED|# Server$|Network Partitions$|GROUP\s+TOPIC|"
    r"STATUS: (?:deployed|failed|pending|superseded)|notAfter=| {0,20}pid {1,20}\|)",
    re.MULTILINE,
)
_CURL = re.compile(r"^curl: \((\d{1,2})\) (.+)$", re.MULTILINE)
_CURL_PLACE = re.compile(r"(?:connect to|resolve host:?|from|host) ([\w.-]+)(?: port (\d+))?")
_CURL_KINDS = {
    "6": (K.DNS_FAILING, R.NAME_NOT_FOUND), "7": (K.DEPENDENCY_DOWN, R.CONNECTION_REFUSED), "28": (K.DEPENDENCY_DOWN, R.TIMED_OUT),
    "35": (K.CERTIFICATE_EXPIRED, None), "51": (K.CERTIFICATE_EXPIRED, None), "60": (K.CERTIFICATE_EXPIRED, None),
}  # fmt: skip


def has_form(text: str) -> bool:
    """True when a reader knows this form: then what is not reported is well, and its prose is no complaint."""
    return _FORMS.search(text) is not None


def reports(text: str, asked: Asked) -> list[Report]:
    """Everything that any reader finds in the text."""
    return [report for read in _READERS for report in read(text, asked)]


def _argocd(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    """An application whose state is not known, or that is unwell; OutOfSync is told by observed_text.py."""
    fields = dict(_FIELD.findall(text))
    sync, health = fields.get("Sync Status", ""), fields.get("Health Status", "")
    if not sync or sync.startswith("OutOfSync") or not (sync.startswith("Unknown") or health.startswith(_UNWELL)):
        return
    name = fields.get("Name", "unknown").rpartition("/")[2]
    why = "; ".join(f"{kind}: {said[:QUOTE]}" for kind, said in _CONDITION.findall(text)[:2])
    cause = f"application {name}: sync status {sync}, health {health or 'not told'}" + (f"; {why}" if why else "")
    yield Report(K.DELIVERY_OUT_OF_SYNC, f"app/{name}", cause)


def _helm(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    if (m := _HELM.search(text)) and m[2] in _HELM_BAD:
        said = f": {m[3][:QUOTE]}" if m[3] else ""
        yield Report(K.DELIVERY_OUT_OF_SYNC, f"app/{m[1]}", f"helm release {m[1]} is {m[2]}, not deployed{said}")
    if (newest := table(text, {"REVISION", "STATUS", "CHART"})[-1:]) and newest[0]["STATUS"] in _HELM_BAD:
        row = newest[0]  # what stands above it is history
        name = re.sub(r"-v?\d.*$", "", row["CHART"])
        cause = f"revision {row['REVISION']} of helm release {name} is {row['STATUS']}: {row.get('DESCRIPTION', '')[:QUOTE]}"
        yield Report(K.DELIVERY_OUT_OF_SYNC, f"app/{name}", cause)
    for row in table(text, {"NAME", "STATUS", "CHART"}):
        if row["STATUS"] in _HELM_BAD:
            cause = f"helm release {row['NAME']} is {row['STATUS']}, not deployed ({row['CHART']})"
            yield Report(K.DELIVERY_OUT_OF_SYNC, f"app/{row['NAME']}", cause)


def _istio(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    for code, kind, _, name, said in _ANALYZED.findall(text)[:MOST]:
        yield Report(K.CONFIG_INVALID, f"{kind}/{name}", f"{kind} {name}: {code} {said[:QUOTE]}")


def _rabbitmq(text: str, asked: Asked) -> Iterator[Report]:
    if apart := _PARTITION.findall(text):
        said = "; ".join(f"{a} cannot communicate with {b.strip()}" for a, b in apart[:MOST])
        yield Report(K.BROKER_PARTITIONED, asked.subject, f"network partition of a RabbitMQ cluster: {said}")


def _kafka(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    """The consumer that is furthest behind, per topic; a group without members counts from any lag."""
    worst: dict[tuple[str, str], tuple[int, dict[str, str]]] = {}
    for row in table(text, {"TOPIC", "PARTITION", "LAG"}):
        key, told = (row.get("GROUP", ""), row["TOPIC"]), row["LAG"]
        if told.isdecimal() and int(told) > worst.get(key, (0, {}))[0]:
            worst[key] = int(told), row
    for (group, topic), (lag, row) in worst.items():
        nobody = row.get("CONSUMER-ID", "") == "-"
        if lag >= LAG or nobody:
            reader = row.get("CONSUMER-ID", "")
            whose = ", and no consumer is there" if nobody else f", consumer {reader}" if reader else ""
            cause = f"consumer group {group} is {lag} behind on topic {topic}, partition {row['PARTITION']}{whose}"
            yield Report(K.CONSUMER_LAGGING, f"queue/{topic}", cause)


def _redis(text: str, asked: Asked) -> Iterator[Report]:
    info = dict(_INFO.findall(text))
    if "redis_version" not in info and not {"used_memory", "role"} & info.keys():
        return
    used, most = (int(told) if (told := info.get(k, "")).isdecimal() else 0 for k in ("used_memory", "maxmemory"))
    policy = info.get("maxmemory_policy", "")
    if most and used >= 0.98 * most and policy in ("", "noeviction"):
        cause = (
            f"used_memory {used} of maxmemory {most} ({100 * used // most} %), maxmemory_policy {policy or 'not told'}: writes fail"
        )
        yield Report(K.REDIS_MEMORY_FULL, asked.subject, f"Redis is at its memory limit: {cause}")
    for key, bad, kind, what in (
        ("master_link_status", "down", K.REDIS_REPLICATION_BROKEN, "the link to its master is down"),
        ("rdb_last_bgsave_status", "err", K.REDIS_PERSISTENCE_FAILING, "its last save failed"),
        ("aof_last_write_status", "err", K.REDIS_PERSISTENCE_FAILING, "its last append to the AOF failed"),
        ("cluster_state", "fail", K.REDIS_CLUSTER_INCOMPLETE, "its cluster is in state fail"),
    ):
        if info.get(key) == bad:
            of = (
                f" (master {info['master_host']}:{info.get('master_port', '')})"
                if key.startswith("master") and "master_host" in info
                else ""
            )
            yield Report(kind, asked.subject, f"Redis: {what}{of}: {key}:{bad}")


def _psql(text: str, asked: Asked) -> Iterator[Report]:
    """Sessions that wait for others, and the one at the head of the queue."""
    rows = {r["pid"]: r for r in table(text, {"pid", "state"}) if r["pid"].isdecimal()}
    blocked = {p: re.findall(r"\d+", next((v for k, v in r.items() if "block" in k), "")) for p, r in rows.items()}
    heads = [b for by in blocked.values() for b in by if not blocked.get(b)]
    if not heads:
        return
    head = max(dict.fromkeys(heads), key=heads.count)
    row = rows.get(head, {})
    waiting = sorted(p for p, by in blocked.items() if by)
    since = next((f" for {v}" for k, v in row.items() if k in ("xact_age", "age", "duration", "idle_for") and v), "")
    who = ", ".join(x for x in (row.get("usename", ""), row.get("application_name", "")) if x)
    cause = (
        f"session {head}{f' ({who})' if who else ''} is {row.get('state') or 'not listed'}{since} and blocks {len(waiting)} "
        f"({', '.join(waiting[:MOST])}): {row.get('query', '')[:QUOTE]}"
    )
    yield Report(K.POSTGRES_LOCKED, asked.subject, cause)


def _certificate(text: str, asked: Asked) -> Iterator[Report]:
    if (m := _NOT_AFTER.search(text)) is None:
        return
    written = m[1]
    try:
        ends = datetime.strptime(written, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return
    name = n[1] if (n := _COMMON_NAME.search(text)) else asked.subject.partition("/")[2]
    if ends <= asked.now or "certificate has expired" in text:
        cause = f"the certificate of {name} has expired: it was valid until {written} GMT"
        yield Report(K.CERTIFICATE_EXPIRED, f"app/{name}", cause, None, ends)


def _curl(text: str, asked: Asked) -> Iterator[Report]:
    for code, said in _CURL.findall(text)[:MOST]:
        kind, reason = _CURL_KINDS.get(code, (None, None))
        if kind is None:
            continue
        place = _CURL_PLACE.search(said)
        host = place[1] if place else asked.subject.partition("/")[2]
        refused = "; Connection refused" if "Connection refused" in text and "refused" not in said else ""
        yield Report(kind, f"app/{host}", f"curl: {said[:QUOTE]}{refused}", reason)


def _top(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    """Nodes whose memory is used up; CPU alone is only told beside it."""
    for row in table(text, {"NAME", "CPU%", "MEMORY%"})[:1000]:
        cpu, memory = (row[k].rstrip("%") for k in ("CPU%", "MEMORY%"))
        if memory.isdecimal() and int(memory) >= FULL:
            cause = f"node {row['NAME']} uses {memory}% of its memory and {cpu}% of its CPU, as kubectl top says"
            yield Report(K.NODE_PRESSURE, f"node/{row['NAME']}", cause, R.MEMORY_PRESSURE)


def _ingress(text: str, asked: Asked) -> Iterator[Report]:
    """kubectl looks up each backend and says which ones are not there."""
    faults = [
        f'{path or "a rule"} leads to {backend}: {kind} "{name}" not found' for path, backend, kind, name in _BACKEND.findall(text)
    ]
    if faults:
        cause = f"{asked.subject.replace('/', ' ')}: " + "; ".join(faults[:MOST])
        yield Report(K.INGRESS_BROKEN, asked.subject, cause)


def _custom(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    """A described custom resource whose controller says that it is not ready (cert-manager, Flux, operators)."""
    if (kind := _CUSTOM.search(text)) is None or (name := re.search(r"^Name: +(\S+)", text, re.MULTILINE)) is None:
        return
    told = [m.groupdict() for m in _STATE.finditer(text)]
    if not any(t["type"] in _WELL and t["is"] == "False" for t in told):
        return
    bad = [t for t in told if t["is"] == "False" or (t["type"] in ("Failed", "Stalled", "Degraded") and t["is"] == "True")]
    expired = next((t for t in bad if t["why"] == "Expired"), None)
    said = "; ".join(f"{t['type']} is {t['is']} ({t['why']}): {(t['said'] or '')[:QUOTE]}" for t in bad[:3])
    subject = f"{kind[1]}/{name[1]}"
    yield Report(K.CERTIFICATE_EXPIRED if expired else K.DELIVERY_OUT_OF_SYNC, subject, f"{subject.replace('/', ' ')}: {said}")


def _quota(text: str, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    """A ResourceQuota of which something is used up; context until something is refused."""
    name = re.search(r"^Name: +(\S+)", text, re.MULTILINE)
    full = [
        f"{row['Resource']} is used up: {row['Used']} of {row['Hard']}"
        for row in table(text, {"Resource", "Used", "Hard"})
        if (used := quantity(row["Used"])) is not None and (hard := quantity(row["Hard"])) is not None and used >= hard
    ]
    if full and name is not None:
        cause = f"quota {name[1]}: " + "; ".join(full[:MOST])
        yield Report(K.POD_CREATION_REFUSED, f"resourcequota/{name[1]}", cause, R.QUOTA_EXCEEDED)


_READERS: tuple[Callable[[str, Asked], Iterator[Report]], ...] = (
    _argocd, _helm, _istio, _rabbitmq, _kafka, _redis, _psql, _certificate, _curl, _top, _ingress, _custom, _quota,
)  # fmt: skip
