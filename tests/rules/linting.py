"""The linter over texts, as tests use it."""

import re
from pathlib import Path
from textwrap import indent

from sre_agent.policy.data_file import opened
from sre_agent.routing.file import Routing
from sre_agent.rules.document import read
from sre_agent.rules.examine import Examined, examine
from sre_agent.rules.recognise import recognised

ROOT = Path(__file__).parents[2]
GROUP = "groups:\n- name: g\n  rules:\n"


def shipped() -> Routing:
    """The routing file as it is shipped."""
    content, wrong = opened(ROOT / "policies" / "data" / "routing.yaml").checked(Routing)
    assert content is not None, wrong
    return content


ROUTING = shipped()


def linted(*texts: str, routing: Routing = ROUTING) -> Examined:
    """Files "0.yaml", "1.yaml", ... with these texts; one that begins with "- " is rules in a group."""
    whole = [GROUP + indent(text, "  ") if re.search(r"^- (alert|record):", text, re.MULTILINE) else text for text in texts]
    parts = [part for n, text in enumerate(whole) for part in recognised(read(text, f"{n}.yaml"))]
    return examine(parts, routing)


def ids(examined: Examined) -> list[str]:
    """The ids of what nobody suppressed, in order."""
    return [f.id for f in examined.open]
