"""The error tree.

SreAgentError
├── Transient            try again later (retry_after, seconds, when the other side said so)
├── Permanent            trying again will not help; a person must look
│   ├── ConfigurationError   the agent's own set-up is wrong (file, line, what to do)
│   └── Conflict             somebody else moved first: the caller stops
└── Refused              the guard, a precondition or the target itself said no

Messages tell a person what happened, where, and what to do. SDK exceptions are translated into
these in their adapter and nowhere else.
"""


class SreAgentError(Exception):
    """Root of everything this product raises on purpose."""


class Transient(SreAgentError):
    """A failure that may pass: network, rate limit, 5xx. `retry_after` is in seconds.

    `retried`: whoever raises it has asked again already, so that nobody above does: retries have one owner.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.retried = False


class OutcomeUnknown(Transient):
    """A write was sent and no answer came: it may or may not have happened. Observe; never resend blindly."""


class Permanent(SreAgentError):
    """A failure that stays until somebody changes something."""


class ConfigurationError(Permanent):
    """The agent's own configuration is wrong; the message names the file or variable and the fix."""


class Conflict(Permanent):
    """A compare-and-set lost: another worker or a person moved first. Stop, do not retry."""


class Refused(SreAgentError):
    """An action was refused; `rule` is the id a human can look up."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason
