"""What is wrong with a file before anybody looks at what it says."""

from collections.abc import Iterable, Iterator
from typing import Final

from sre_agent.rules.document import duplicates
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.recognise import Recognised

DUPLICATE_KEY: Final = Check("SRA001", "duplicate-key", Severity.ERROR, "A key is given twice")
CHECKS: Final = (DUPLICATE_KEY,)


def findings(parts: Iterable[Recognised]) -> Iterator[Finding]:
    """Keys given twice, anywhere in a file."""
    for document in {id(p.document): p.document for p in parts}.values():
        for root in document.roots:
            for first, again in duplicates(root):
                yield Finding(
                    document.path,
                    again.place,
                    DUPLICATE_KEY,
                    Severity.ERROR,
                    f"the key {again.text!r} was given on line {first.place.line} already: most readers refuse the file, "
                    "others keep the last one in silence",
                    "remove one of the two",
                )
