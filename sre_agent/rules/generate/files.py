"""The files that are written for one file of objectives."""

from dataclasses import dataclass
from typing import Final

from sre_agent.rules.generate.groups import groups
from sre_agent.rules.generate.writing import text_of
from sre_agent.rules.slo import SloFile

MARK: Final = "# Written by `sre-agent rules generate`"
"""How a file begins that may be written again."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file's name and content."""

    name: str
    text: str


def written_files(file: SloFile, source: str) -> tuple[Written, ...]:
    """Rules, then their tests. `source`: the name of the file of objectives, without its folder."""
    stem = source.rsplit(".", 1)[0] if "." in source.strip(".") else source
    head = f"{MARK} from {source}: change that file and run it again, not this one.\n"
    return (Written(f"{stem}.rules.yaml", f"{head}{text_of({'groups': groups(file)})}"),)
