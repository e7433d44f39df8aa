"""JOB_FAILED, with the exit of its pods; CRONJOB_NOT_RUNNING: suspended, missed, or held back by a run that does not end.

Pure. A later run of the same CronJob that succeeded has made a failed one history.
"""

from datetime import datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.cron_times import last_due, period
from sre_agent.evidence.kubernetes.events import ObjectEvents, Told, first_seen, ids, message
from sre_agent.evidence.kubernetes.exit_cause import exit_cause, log_lines, words_cause
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import (
    Container,
    JsonObject,
    condition,
    containers,
    controller_of,
    dig,
    entries,
    instant,
    number,
    terminating,
    text,
)
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

FAILED, RETRYING, SUSPENDED = 0.8, 0.6, 0.6
RAN_LATELY = timedelta(hours=24)
OLD_AFTER = timedelta(hours=24)
MIN_FAILED = 2
LATE = timedelta(minutes=5)
_GIVEN_UP = ("BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy")
_END = {"BackoffLimitExceeded": R.BACKOFF_LIMIT, "DeadlineExceeded": R.DEADLINE_EXCEEDED}
_WORDS = {R.BACKOFF_LIMIT: "it reached its backoff limit", R.DEADLINE_EXCEEDED: "it ran longer than its deadline"}


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each Job that failed and each CronJob that does not run, strongest first."""
    events = readings.events(view)
    jobs = list(view.objects("Job"))
    found = [f for i, job in jobs if (f := _job((i, job), jobs, events, view)) is not None]
    found += [f for i, cron in view.objects("CronJob") if (f := _cron((i, cron), jobs, events, view)) is not None]
    return foremost(((f.object, f.namespace or "", ""), f) for f in found)


def _job(job: tuple[str, JsonObject], jobs: Told, events: ObjectEvents, view: EvidenceView) -> Finding | None:
    item, failed = job[1], condition(job[1], "Failed")
    told = events.about(item, *_GIVEN_UP)
    complete = text(condition(item, "Complete"), "status") == "True"
    over = text(failed, "status") == "True" or (bool(told) and not number(item, "status", "active"))
    retrying = number(item, "status", "failed") >= MIN_FAILED and not number(item, "status", "succeeded")
    if complete or terminating(item) or not (over or retrying) or _superseded(item, jobs):
        return None
    end = _END.get(text(failed, "reason")) or next((r for _, e in told if (r := _END.get(text(e, "reason")))), None)
    pods = _last_pods(item, view)
    exit_reason, exit_words = _exit(pods, view)
    at = instant((failed or {}).get("lastTransitionTime"))
    name, namespace = (text(item, "metadata", k) for k in ("name", "namespace"))
    named = name in view.scope.incident.label_values("job_name") | view.scope.incident.label_values("job")
    if at is not None and view.scope.now - at > OLD_AFTER and not named:
        return None
    failed_pods = number(item, "status", "failed")
    how = _WORDS.get(end or R.BACKOFF_LIMIT, "") if over else f"{failed_pods} of its pods failed and it tries again"
    more = f"; {exit_words}" if exit_words else ""
    return Finding(
        kind=FindingKind.JOB_FAILED,
        object=f"job/{name.lower()}",
        namespace=namespace or None,
        cause=f"the job {name} in the namespace {namespace} {'has failed' if over else 'is failing'}: {how}{more}",
        reason=end if end is R.DEADLINE_EXCEEDED else exit_reason or end,
        onset=_began(told, at, pods),
        strength=FAILED if over else RETRYING,
        evidence=tuple(dict.fromkeys([job[0], *ids(told), *(i for i, _ in pods)])),
        refuted_by="a later run of the same job succeeded",
    )


def _began(told: Told, at: datetime | None, pods: Told) -> datetime | None:
    ends = [c.exited_at for _, p in pods for c in containers(p) if c.exited_at is not None]
    seen = [first for _, e in told if (first := first_seen(e)) is not None]
    return min([*ends, *seen, *([at] if at is not None else [])], default=None)


def _superseded(job: JsonObject, jobs: Told) -> bool:
    """Whether a later Job of the same CronJob completed."""
    owner, made = controller_of(job), text(job, "metadata", "creationTimestamp")
    return owner is not None and any(
        text(controller_of(j), "name") == text(owner, "name")
        and text(j, "metadata", "namespace") == text(job, "metadata", "namespace")
        and text(j, "metadata", "creationTimestamp") > made
        and text(condition(j, "Complete"), "status") == "True"
        for _, j in jobs
    )


def _last_pods(job: JsonObject, view: EvidenceView) -> Told:
    """The job's pods that did not succeed, the last made first, at most three."""
    name, namespace = (text(job, "metadata", k) for k in ("name", "namespace"))
    mine = [
        (i, p)
        for i, p in view.objects("Pod")
        if text(p, "metadata", "namespace") == namespace
        and (text(controller_of(p), "kind"), text(controller_of(p), "name")) == ("Job", name)
        and text(p, "status", "phase") != "Succeeded"
    ]
    return sorted(mine, key=lambda pair: text(pair[1], "metadata", "creationTimestamp"), reverse=True)[:3]


def _exit(pods: Told, view: EvidenceView) -> tuple[R | None, str]:
    """How the last of its pods ended."""
    for _, pod in pods:
        ended = [c for c in containers(pod) if c.exit_code not in (None, 0) or c.exit_reason == "OOMKilled"]
        if not ended:
            continue
        c, name = ended[0], text(pod, "metadata", "name")
        quoted = f": {one_line(c.words[-200:], 200)}" if c.words else ""
        if c.exit_reason == "OOMKilled":
            return R.MEMORY_LIMIT, f"container {c.name} of its pod {name} was killed at its memory limit of {c.memory_limit or '?'}"
        reason, meaning = exit_cause(c.exit_code)
        spoken = words_cause(c.words.splitlines()) or _log_words(name, c, view)
        if reason is R.APP_ERROR and spoken is not None:
            reason, quoted = spoken[0], quoted or f"; its log speaks of {spoken[1]}"
        return reason, f"container {c.name} of its pod {name} ended with exit code {c.exit_code} ({meaning}){quoted}"
    return None, ""


def _log_words(pod: str, container: Container, view: EvidenceView) -> tuple[R, str] | None:
    mine = (log for _, log in view.logs() if log.get("pod") == pod and log.get("container") in (container.name, None, ""))
    return next((spoken for log in mine if (spoken := words_cause(log_lines(log))) is not None), None)


def _cron(cron: tuple[str, JsonObject], jobs: Told, events: ObjectEvents, view: EvidenceView) -> Finding | None:
    item = cron[1]
    name, namespace = (text(item, "metadata", k) for k in ("name", "namespace"))
    if terminating(item):
        return None
    told = events.about(
        item, "FailedNeedsStart", "UnparseableSchedule", "InvalidSchedule", "TooManyMissedTimes", "JobAlreadyActive"
    )
    named = name in view.scope.incident.label_values("cronjob")
    judged = _not_running(item, jobs, told, view)
    if judged is None:
        return None
    reason, words, strength, cited = judged
    if not strength and not named:
        return None
    return Finding(
        kind=FindingKind.CRONJOB_NOT_RUNNING,
        object=f"cronjob/{name.lower()}",
        namespace=namespace or None,
        cause=f"the CronJob {name} ({text(item, 'spec', 'schedule')}) {words}",
        reason=reason,
        onset=min((at for _, e in told if (at := first_seen(e)) is not None), default=None),
        strength=max(strength, 0.88) if named else strength,
        evidence=tuple(dict.fromkeys([cron[0], *ids(told), *cited])),
        refuted_by="a run that was due has started since",
    )


def _not_running(item: JsonObject, jobs: Told, told: Told, view: EvidenceView) -> tuple[R | None, str, float, list[str]] | None:
    """(reason, words, strength, evidence of its jobs); None when it runs as it should."""
    now, schedule = view.scope.now, text(item, "spec", "schedule")
    last = instant(dig(item, "status", "lastScheduleTime"))
    if dig(item, "spec", "suspend") is True:
        # Many rest suspended for months: one that ran until lately is missed, any other only when the alert names it.
        lately = last is not None and now - last <= max(RAN_LATELY, 3 * (period(schedule, now) or timedelta()))
        words = f"is suspended; its last run was at {last:%Y-%m-%d %H:%M}" if last else "is suspended"
        return R.SUSPENDED, words, SUSPENDED if lately else 0.0, []
    bad = next((message(e) for _, e in told if text(e, "reason") in ("UnparseableSchedule", "InvalidSchedule")), "")
    if bad:
        return R.SETTINGS_REJECTED, f"has a schedule that cannot be read: {one_line(bad, 200)}", 0.85, []
    if text(item, "spec", "timeZone") not in ("", "Etc/UTC", "UTC"):
        return None
    stuck = _stuck(item, jobs, now, period(schedule, now))
    if stuck is not None:
        since = instant(dig(stuck[1], "status", "startTime"))
        words = f"starts no run: {text(stuck[1], 'metadata', 'name')} has been active since {since:%H:%M} and runs may not overlap"
        return R.DEADLINE_EXCEEDED, words, 0.8, [stuck[0]]
    due, since = last_due(schedule, now - LATE), last or instant(dig(item, "metadata", "creationTimestamp"))
    if due is None or since is None or since >= due or entries(item, "status", "active"):
        return None
    tells = next(
        (one_line(message(e), 200) for _, e in told if text(e, "reason") in ("FailedNeedsStart", "TooManyMissedTimes")), ""
    )
    started = f"its last run was at {last:%Y-%m-%d %H:%M}" if last else "it has never run"
    return None, f"did not start the run that was due at {due:%H:%M}; {started}" + (f"; {tells}" if tells else ""), 0.8, []


def _stuck(item: JsonObject, jobs: Told, now: datetime, every: timedelta | None) -> tuple[str, JsonObject] | None:
    """The active run of a CronJob that forbids others, when it outlasted two periods."""
    if text(item, "spec", "concurrencyPolicy") != "Forbid" or every is None:
        return None
    name, namespace = (text(item, "metadata", k) for k in ("name", "namespace"))
    for i, job in jobs:
        mine = (text(controller_of(job), "name"), text(job, "metadata", "namespace")) == (name, namespace)
        since = instant(dig(job, "status", "startTime"))
        if mine and number(job, "status", "active") and since is not None and now - since > 2 * every:
            return i, job
    return None
