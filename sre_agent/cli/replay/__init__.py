"""`sre-agent replay`: the command, where its cases come from, and where its results go."""

from sre_agent.cli.replay.command import replay

__all__ = ["replay"]
