"""The outermost loop of every command: an error becomes one clear line on standard error and an exit status.

0 done, 1 failed, 2 wrong usage (typer's own), 130 interrupted.
"""

import sys

from sre_agent.incident.errors import SreAgentError


def main() -> None:
    """Run the command line. Always ends in SystemExit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    from sre_agent.cli.main import app

    try:
        app(args=arguments, prog_name="sre-agent")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        print("sre-agent: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not try to flush the rest.
        sys.stdout = None
        return 1
    except SreAgentError as failed:
        print(f"sre-agent: {_one_line(failed)}", file=sys.stderr)
        return 1
    except Exception as bug:  # noqa: BLE001 - one of the two outermost loops
        return _report(bug)
    return 0


def _one_line(failed: Exception) -> str:
    """The message without line breaks."""
    return " ".join(str(failed).split()) or type(failed).__name__


def _report(bug: Exception) -> int:
    """Something nobody foresaw: the traceback first, so that the line a person needs stands last."""
    import traceback

    traceback.print_exception(bug, file=sys.stderr)
    print(f"sre-agent: this is a bug in sre-agent: {type(bug).__name__}: {_one_line(bug)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
