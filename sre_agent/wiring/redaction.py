"""The key under which placeholders of redacted values are tagged: given, or made once and kept beside the data."""

import logging

from sre_agent.evidence.redact import use_redaction_key
from sre_agent.settings import Settings
from sre_agent.wiring.kept_key import kept_key

FILE = "redaction.key"
_log = logging.getLogger(__name__)


def tag_redactions(settings: Settings) -> None:
    """Tag under SRE_AGENT_REDACTION_KEY, else under the key of the data folder; called before any task is started.

    Where the folder cannot be used placeholders go without tags: evidence then correlates less, and nothing else changes.
    """
    if settings.redaction_key is not None:
        use_redaction_key(settings.redaction_key.get_secret_value().encode())
        return
    try:
        use_redaction_key(kept_key(settings.data_dir.expanduser() / FILE))
    except OSError as failed:
        _log.warning("redaction_key_unavailable", extra={"reason": failed.strerror or type(failed).__name__})
