"""`sre-agent rules generate`: burn-rate, quantile and cost rules from a file of objectives."""

from pathlib import Path
from typing import Annotated

import typer


def generate(
    objectives: Annotated[Path, typer.Argument(metavar="SLO_YAML", help="The file of objectives (docs/burn-rates.md).")],
    out_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; the file's own folder if left out.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 when a file is not as it would be.")] = False,
) -> None:
    """Write recording and alert rules from objectives. Exit status 1 when the file is wrong; then nothing is written."""
    from sre_agent.cli.render import printable
    from sre_agent.rules.generate.files import generated
    from sre_agent.rules.slo_problems import read_slos

    file, wrong = read_slos(objectives)
    for complaint in wrong:
        typer.echo(printable(complaint), err=True)
    if file is None:
        raise typer.Exit(1)
    folder = out_dir or objectives.parent
    made, stale = generated(file, objectives.name), False
    for one in made.files:
        path = folder / one.name
        state = _state(path, one.text)
        if not check and state != "unchanged":
            _write(path, one.text)
        stale = stale or state != "unchanged"
        typer.echo(printable(f"{path}: {f'would be {state}' if check and state != 'unchanged' else state}"))
    for note in made.notes:
        typer.echo(printable(f"note: {note}"), err=True)
    if check and stale:
        raise typer.Exit(1)


def _state(path: Path, text: str) -> str:
    """What writing the text does to the file. Raises ConfigurationError when it is somebody else's."""
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.rules.generate.files import MARK

    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return "written"
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}; name another --out-dir") from error
    if there == text.encode():
        return "unchanged"
    if not there.startswith(MARK.encode()):
        raise ConfigurationError(f"{path}: exists and was not written by this command; move it away or name another --out-dir")
    return "rewritten"


def _write(path: Path, text: str) -> None:
    """At once or not at all: Prometheus may be reading."""
    from sre_agent.incident.errors import ConfigurationError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(text.encode())
        partial.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}; name another --out-dir") from error
