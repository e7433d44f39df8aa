"""Why no node takes a pod, by the scheduler's words. Pure.

The scheduler tells, per reason, how many nodes it left out: "0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated
taint {dedicated: gpu}. preemption: ...". A node is left out by the first filter it fails, so a reason of a late filter names the
nodes that came nearest. https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
"""

import re
from dataclasses import dataclass

from sre_agent.evidence.finding_reason import FindingReason as R

LONGEST = 4_000
_ITEM = re.compile(r"(?:^|, )(\d{1,6}) ((?:(?!, \d{1,6} ).){1,400})")
_OF = re.compile(r"\b0/(\d{1,6}) nodes are available")
_CORDON = re.compile(r"were unschedulable|node\.kubernetes\.io/unschedulable")
_CONTROL = re.compile(r"node-role\.kubernetes\.io/(?:control-plane|master)")
_INSUFFICIENT = re.compile(r"Insufficient ([\w./-]{1,100})")
# In the order of the scheduler's filters: the later, the nearer the node came to taking the pod.
_FILTERS: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words))
    for reason, words in (
        (R.NODES_CORDONED, _CORDON.pattern),
        (R.TAINT, r"taint(?!s? \{node\.kubernetes\.io/)"),
        # What the node controller puts on a sick node: without it these nodes would take the pod.
        (R.KUBELET_SILENT, r"node\.kubernetes\.io/(?:not-ready|unreachable)"),
        (R.MEMORY_PRESSURE, r"node\.kubernetes\.io/memory-pressure"),
        (R.DISK_PRESSURE, r"node\.kubernetes\.io/disk-pressure"),
        (R.PID_PRESSURE, r"node\.kubernetes\.io/pid-pressure"),
        (R.TAINT, r"taint"),
        (R.NODE_SELECTOR, r"node affinity/selector|node selector|requested hostname|node\(s\) didn't match node name"),
        (R.AFFINITY, r"(?<!volume )node affinity"),
        (R.HOST_PORT, r"free ports"),
        (R.PODS_FULL, r"Too many pods"),
        (R.CPU_SHORT, r"Insufficient cpu"),
        (R.MEMORY_SHORT, r"Insufficient memory"),
        (R.EXTENDED_RESOURCE_SHORT, r"Insufficient \S"),
        (R.VOLUME_ZONE, r"volume node affinity conflict|no available volume zone|volume zone"),
        (R.NO_MATCHING_VOLUME, r"available persistent volumes to bind|max volume count"),
        (R.CLAIM_WAITS, r"unbound immediate|PersistentVolumeClaims"),
        (R.AFFINITY, r"topology spread|affinity"),
    )
)
_WHOLE: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        (R.CLAIM_MISSING, r"persistentvolumeclaim \"[^\"]{1,253}\" not found|bound to non-existent persistentvolume"),
        (R.STORAGE_CLASS_MISSING, r"storageclass\S* \"[^\"]{1,253}\" not found"),
        (R.CLAIM_WAITS, r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"]{1,253}\" is (?:being|not)"),
        (R.NO_NODES, r"no nodes available|\b0/0 nodes"),
        (R.GATED, r"scheduling gate|SchedulingGated|non-empty scheduling gates"),
    )
)


@dataclass(frozen=True)
class Refusal:
    """How many nodes were left out, why, and in the scheduler's words."""

    count: int
    reason: R | None
    words: str
    stage: int

    @property
    def resource(self) -> str:
        """What there is not enough of ("cpu", "nvidia.com/gpu"); "" for any other reason."""
        found = _INSUFFICIENT.search(self.words)
        return found[1].rstrip(".") if found else ""


@dataclass(frozen=True)
class Unplaced:
    """Every refusal; the decisive reason and the refusal it came from (None: it is about the pod as a whole); of how many nodes."""

    refusals: tuple[Refusal, ...]
    reason: R | None
    decisive: Refusal | None
    nodes: int | None


def unplaced(said: str) -> Unplaced:
    """What the scheduler's message says. A message that cannot be read has no refusals and no reason."""
    main = re.split(r"\.? *preemption:", said[:LONGEST], maxsplit=1, flags=re.IGNORECASE)[0]
    of = _OF.search(main)
    nodes = int(of[1]) if of else None
    refusals = tuple(_refusal(int(m[1]), m[2].strip(" .")) for m in _ITEM.finditer(main[of.end() :].lstrip(": ") if of else main))
    whole = next((reason for reason, pattern in _WHOLE if pattern.search(main)), None)
    if whole is not None:
        return Unplaced(refusals, whole, None, nodes)
    decisive = _decisive(refusals)
    return Unplaced(refusals, decisive.reason if decisive else None, decisive, nodes)


def _refusal(count: int, words: str) -> Refusal:
    for stage, (reason, pattern) in enumerate(_FILTERS):
        if pattern.search(words):
            return Refusal(count, reason, words, stage)
    return Refusal(count, None, words, -1)


def _decisive(refusals: tuple[Refusal, ...]) -> Refusal | None:
    """The reason of the nodes that came nearest; control planes take nobody, and cordons decide where they are most nodes."""
    known = [r for r in refusals if r.reason is not None]
    own = [r for r in known if not _CONTROL.search(r.words)] or known
    cordoned = next((r for r in own if r.reason is R.NODES_CORDONED), None)
    if cordoned is not None and all(cordoned.count >= r.count for r in own):
        return cordoned
    return max(own, key=lambda r: (r.stage, r.count), default=None)
