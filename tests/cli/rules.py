"""Edits of rules that the tests of commands make."""

from pathlib import Path

RULE = """
@id("tier-restart-billing")
@outcome("deny")
@reason("restarts in billing: one approval")
forbid (principal, action == Sre::Action::"restart_pod", resource)
when { resource.namespace == "billing" }
unless { context.approvals >= 1 };
"""
"""A rule as the one in docs/policies.md."""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)
