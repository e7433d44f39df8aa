"""The program as somebody at a terminal starts it."""

import sys

_START = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('sre_agent', run_name='__main__', alter_sys=True)"
)


def at_a_terminal(*words: str) -> list[str]:
    """`sre-agent WORDS`, which hears Ctrl-C even where whoever runs the tests does not: a job in the background ignores it, and
    what it starts would too."""
    return [sys.executable, "-c", _START, *words]
