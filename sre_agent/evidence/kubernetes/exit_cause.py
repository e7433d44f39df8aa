"""Why a container ended: by its exit code, and by the last words it left. Pure.

Exit codes of signals are 128 + the signal (POSIX shells); 126 and 127 mean that the command could not be run or found.
Words come from the container and are untrusted: they choose one of a closed list of reasons, nothing else.
"""

import re
from collections.abc import Iterable, Mapping

from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.logs.pattern import is_error

MAX_LINES, LAST_LINES, MAX_LINE = 30, 8, 400
EXITS = {
    0: (R.EXITS_CLEANLY, "it ends by itself, without an error"),
    1: (R.APP_ERROR, "an error of the application"),
    126: (R.COMMAND_NOT_FOUND, "its command cannot be executed"),
    127: (R.COMMAND_NOT_FOUND, "its command was not found"),
    134: (R.ABORTED, "it aborted"),
    137: (R.KILLED, "it was killed, not for its memory limit"),
    139: (R.SEGFAULT, "a segmentation fault"),
    143: (R.KILLED, "it was asked to stop"),
}
_NAME = r"[\"'`$]{0,2}\{?(?P<name>[A-Z][A-Z0-9_]{2,60})\}?[\"'`]?"
_IS_MISSING = r"(?:is |was |must be )?(?:not set|not defined|unset|missing|required|empty|set\b)"
_ENV = (
    re.compile(rf"env(?:ironment)? ?(?:variables?|vars?)?[ :]{{1,3}}{_NAME}.{{0,40}}(?:not|required|missing|empty|unset)", re.I),
    re.compile(
        rf"(?:missing|required|undefined|unset)[\w ]{{0,30}}(?:env\w*|variables?|vars?)[\w ]{{0,20}}[ :]{{1,3}}{_NAME}", re.I
    ),
    re.compile(rf"\b{_NAME}:? (?:environment variable |env var |variable )?{_IS_MISSING}"),
    re.compile(r"KeyError: '(?P<name>[A-Z][A-Z0-9_]{2,60})'"),
    re.compile(r"\b(?P<name>[A-Z][A-Z0-9_]{2,60}): (?:parameter not set|unbound variable|parameter null or not set)"),
    re.compile(rf"(?:must|need to|please) (?:specify|set|provide|define|export) (?:the )?{_NAME}"),
    re.compile(r"(?:missing|required) environment variable|(?:specify|set|provide) .{0,60}environment variable", re.I),
    re.compile(r"environment variables? .{0,60}(?:not set|missing|required)", re.I),
)
_LOAD = r"(?:failed|unable|error|could not|cannot) (?:to )?(?:load|loading|parse|parsing|read|reading|unmarshal) ?[\w ./-]{0,60}"
_PHRASES: dict[R, tuple[str, ...]] = {
    R.COMMAND_NOT_FOUND: (
        r"executable file not found",
        r"exec format error",
        r"command not found",
        r"can't open file",
        r"cannot find module",
        r"could not find or load main class",
        r"no such file or directory: unknown",
        r"(?:exec|sh|line \d{1,4}): .{1,200}: not found$",
    ),
    R.DISK_FULL: (r"no space left on device", r"ENOSPC", r"disk quota exceeded"),
    R.DEPENDENCY_UNREACHABLE: (
        r"connection refused|ECONNREFUSED|connection reset|ECONNRESET",
        r"no such host|ENOTFOUND|EAI_AGAIN|name or service not known|name resolution|could not translate host name",
        r"unknown ?host(?:exception)?\b|bad address|no route to host|host is unreachable",
        r"(?:could not|can't|cannot|failed to|unable to) connect",
        r"connect(?:ion)? timed? ?out|ETIMEDOUT|i/o timeout|communications link failure",
    ),
    R.NO_PERMISSION: (r"permission denied|EACCES|EPERM|operation not permitted|read-only file system|is forbidden: user",),
    R.SETTINGS_REJECTED: (
        r"(?:invalid|bad|malformed|illegal|unsupported|unknown) (?:config\w*|option|flag|argument|setting|value|directive|port)",
        r"(?:config\w*|settings?) (?:file )?(?:is |was )?(?:error|invalid|not found|missing)",
        _LOAD + r"(?:config|settings|ya?ml|json|toml|\.conf|\.properties)",
        r"flag provided but not defined|unknown shorthand flag|unrecognized (?:option|argument)",
        r"\[emerg\]|cannot unmarshal|yaml: (?:line|unmarshal|did)|JSONDecodeError|ConfigurationException",
        r"validation errors? for \w{0,40}settings|invalid literal",
    ),
    R.MEMORY_LIMIT: (r"heap out of memory|java\.lang\.OutOfMemoryError|cannot allocate memory|MemoryError|std::bad_alloc",),
    R.SEGFAULT: (r"segmentation fault|SIGSEGV",),
}
_WORDS = {reason: re.compile("|".join(phrases), re.IGNORECASE) for reason, phrases in _PHRASES.items()}
_HARMLESS = re.compile(r"\b(?:INFO|DEBUG|TRACE)\b|level\"?[=:]\s?\"?(?:info|debug|trace)\b")
_HINTS = (
    *(
        "env",
        "keyerror",
        "parameter n",
        "unbound",
        "set ",
        " set",
        "unset",
        "specify",
        "provide",
        "define",
        "export",
        "not defined",
        "missing",
        "required",
        "empty",
        "not found",
    ),
    *("exec format", "can't open", "cannot find", "could not find", "no such", "no space", "enospc", "quota", "refused", "reset"),
    *("enotfound", "eai_again", "not known", "resolution", "translate", "unknown", "bad ", "no route", "unreachable", "connect"),
    *("timeout", "timed", "etimedout", "communications", "denied", "eacces", "eperm", "permitted", "read-only", "forbidden"),
    *("invalid", "malformed", "illegal", "unsupported", "config", "setting", "yaml", "yml", "json", "toml", ".properties", "flag"),
    *("unrecognized", "emerg", "unmarshal", "memory", "bad_alloc", "segmentation", "sigsegv"),
)
"""A line without any of these matches nothing above; asking this first saves nearly all of the time."""
_SAYS = {
    R.COMMAND_NOT_FOUND: "a command or file that does not exist",
    R.DISK_FULL: "a full disk",
    R.DEPENDENCY_UNREACHABLE: "something that it cannot reach",
    R.NO_PERMISSION: "a missing right",
    R.SETTINGS_REJECTED: "settings that it does not accept",
    R.MEMORY_LIMIT: "memory that it did not get",
    R.SEGFAULT: "a segmentation fault",
    R.ENV_MISSING: "a missing environment variable",
}


def exit_cause(code: int | None) -> tuple[R, str]:
    """What an exit code means, in a reason and in words."""
    if code is None:
        return R.APP_ERROR, "an error"
    return EXITS.get(code, (R.APP_ERROR, "an error"))


def words_cause(lines: Iterable[str]) -> tuple[R, str] | None:
    """(reason, what the last words speak of) by the last lines first; None when they speak of nothing known.

    Quoted is at most the name of an environment variable, in capital letters.
    """
    last = [line[:MAX_LINE] for line in lines if isinstance(line, str)][-MAX_LINES:]
    for line in reversed(last):
        low = line.lower()
        if not any(hint in low for hint in _HINTS):
            continue
        if (missing := env_missing(line)) is not None:
            return R.ENV_MISSING, f"{_SAYS[R.ENV_MISSING]} {missing}".rstrip()
        for reason, pattern in _WORDS.items():
            if pattern.search(line):
                return reason, _SAYS[reason]
    return None


def log_lines(log: Mapping[str, object]) -> list[str]:
    """The last lines of a log that may tell why it ended: its errors, and the very last that do not say they are harmless.

    [] for anything odd.
    """
    lines = log.get("lines")
    last = [str(line)[:MAX_LINE] for line in lines[-MAX_LINES:]] if isinstance(lines, list | tuple) else []
    return [line for line in last[:-LAST_LINES] if is_error(line)] + [m for m in last[-LAST_LINES:] if not _HARMLESS.search(m)]


def env_missing(line: str) -> str | None:
    """The environment variable that a line says is missing; "" when it names none, None when it says no such thing."""
    for pattern in _ENV:
        if found := pattern.search(line):
            name = found.groupdict().get("name") or ""
            return name if name.isupper() else ""
    return None
