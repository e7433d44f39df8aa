"""sre-agent: a guarded auto-remediation agent for on-call teams that run AI agents.

One room per stage an incident walks through; imports go one way. See docs/architecture.md.
"""

__version__ = "0.1.0"
