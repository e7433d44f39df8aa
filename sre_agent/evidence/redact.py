"""Secrets and personal data out, before anything is stored, shown or sent. Deterministic under one key, and idempotent.

Identifiers that operations need (UIDs, run ids, image digests, addresses, timestamps) match none of the rules, on purpose:
there is no rule for "looks random". The rules are in `redaction/`; docs/redaction.md says what is recognised and how well.
"""

from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.redaction.placeholder import case_key, redaction_key, use_redaction_key
from sre_agent.evidence.redaction.structure import redact_json
from sre_agent.evidence.redaction.text import redact

__all__ = ["case_key", "redact", "redact_evidence", "redact_json", "redaction_key", "use_redaction_key"]


def redact_evidence(evidence: Evidence) -> Evidence:
    """The evidence with query, link, error and payload redacted."""
    return evidence.model_copy(
        update={
            "query": redact(evidence.query),
            "link": redact(evidence.link),
            "error": redact(evidence.error),
            "payload": redact_json(evidence.payload),
        }
    )
