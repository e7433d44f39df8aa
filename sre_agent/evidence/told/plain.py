"""The text itself, without what the tool that fetched it put around it. Pure."""

import re

LONGEST = 200_000
"""Characters that are read of one answer."""
_FAILED = re.compile(r"\ACommand `[^`\n]*` failed[^\n]*\n")
_STDERR = re.compile(r"^stderr:[ \t]*$", re.MULTILINE)
_REPORT = re.compile(r"^=+\n[A-Z][A-Z ]+\n=+\n.*?^=+$", re.MULTILINE | re.DOTALL)


def unwrapped(output: str) -> str:
    """What was on standard output: without "stdout:", the part behind "stderr:", and a framed report about the query itself."""
    text = _FAILED.sub("", output[:LONGEST].lstrip("\n"), count=1)
    if text.startswith("stdout:"):
        text = text.removeprefix("stdout:")
        text = _STDERR.split(text, maxsplit=1)[0]
    return _REPORT.sub("", text, count=1).strip("\n")
