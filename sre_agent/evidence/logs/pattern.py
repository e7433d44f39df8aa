"""The pattern of a log line: what stays when ids, numbers, times and quoted values are taken out. Pure.

One pass of masking, as the first step of Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree",
ICWS 2017). The tree that joins near patterns is in templates.py.
"""

import re

LONGEST = 200
_STAMP = re.compile(r"^\W{0,2}\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s*")
_VARYING = re.compile(
    r"\"[^\"]{0,200}\"|'[^']{0,200}'|\[[^\[\]]{0,400}[:=][^\[\]]{0,400}\]|\([^()]{0,200}\)"
    # A token with a digit is looked for only where a token can begin: elsewhere every letter of it would be tried again.
    r"|\b(?:trace|span|request)id:? ?\S+|(?<![\w.:/-])[^\s\d]*\d\S*|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b",
    re.IGNORECASE,
)
_RUN = re.compile(r"#[#\s\W]*#")
_ERROR = re.compile(r"\b(?:error|fatal|critical|severe|panic|exception|traceback)\b", re.IGNORECASE)


def without_stamp(line: str) -> str:
    """The line without the time it begins with."""
    return _STAMP.sub("", line, count=1)


def pattern(line: str) -> str:
    """The line's pattern, "#" where something varies; equal for lines that one statement of a program wrote."""
    return _RUN.sub("#", _VARYING.sub("#", without_stamp(line)[: 2 * LONGEST]))[:LONGEST].strip()


def is_error(line: str) -> bool:
    """True when the line calls itself an error. A claim of whoever wrote it, like all text."""
    return _ERROR.search(line[: 2 * LONGEST]) is not None
