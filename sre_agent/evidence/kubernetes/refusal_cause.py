"""Why the API server refuses to create a pod, by its words. Pure.

Admission has no codes beyond "forbidden": https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

import re

from sre_agent.evidence.finding_reason import FindingReason as R

_REFUSALS: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        (R.ADMISSION_UNREACHABLE, r"failed calling webhook|failed to call webhook"),
        (R.QUOTA_EXCEEDED, r"exceeded quota|failed quota|insufficient quota"),
        (
            R.LIMIT_RANGE,
            r"(?:maximum|minimum) \S{1,60} usage per|max limit to request ratio|must be less than or equal to \w* ?limit",
        ),
        (R.SERVICE_ACCOUNT_MISSING, r"serviceaccounts? \"?[\w./-]{1,253}\"? not found|error looking up service account"),
        (
            R.POD_SECURITY,
            r"violates PodSecurity|PodSecurityPolicy|unable to validate against any (?:pod security|security context)",
        ),
        (R.PRIORITY_CLASS_MISSING, r"no PriorityClass with name"),
        (R.ADMISSION_DENIED, r"admission webhook|denied (?:the )?request|ValidatingAdmissionPolicy|denied by"),
        (R.SETTINGS_REJECTED, r"is invalid:|Invalid value|Unsupported value|Required value"),
        (R.NO_PERMISSION, r"is forbidden: user|cannot create resource"),
    )
)


def refusal_reason(words: str) -> R | None:
    """Why a pod was not created, by these words."""
    return next((reason for reason, pattern in _REFUSALS if pattern.search(words)), None)
