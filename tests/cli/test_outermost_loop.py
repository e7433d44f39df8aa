"""The outermost loop: every ending of a command is an exit status and, when it failed, one clear line."""

import pytest

from sre_agent.__main__ import run
from sre_agent.cli.main import app
from sre_agent.incident.errors import ConfigurationError, Refused, Transient


@pytest.fixture
def failing():
    """A command added to the real app that raises what a test puts into the list; removed again afterwards."""
    raised: list[BaseException] = []

    def fail() -> None:
        raise raised[0]

    app.command("fail")(fail)
    yield raised
    app.registered_commands[:] = [c for c in app.registered_commands if c.name != "fail"]


@pytest.mark.parametrize(
    "error",
    [ConfigurationError("DATABASE_URL: no such host"), Transient("PagerDuty is away"), Refused("budget-target", "spent\nfor now")],
)
def test_an_error_of_ours_is_one_line_and_status_1(error: Exception, failing, capsys):
    failing.append(error)
    assert run(["fail"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"sre-agent: {' '.join(str(error).split())}\n")


def test_a_bug_is_status_1_with_a_traceback_and_a_last_line_for_people(failing, capsys):
    failing.append(ZeroDivisionError("a defect"))
    assert run(["fail"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1] == "sre-agent: this is a bug in sre-agent: ZeroDivisionError: a defect"


def test_an_interrupt_is_status_130(failing, capsys):
    failing.append(KeyboardInterrupt())
    assert run(["fail"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_command_decides_its_own_status(failing):
    failing.append(SystemExit(3))
    assert run(["fail"]) == 3


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--role", "king"], ["settings", "--no-such-option"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys):
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_and_version_are_status_0(capsys):
    assert run(["--help"]) == 0
    assert run(["--version"]) == 0
    assert "sre-agent 0." in capsys.readouterr().out
