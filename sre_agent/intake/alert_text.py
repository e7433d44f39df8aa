"""Label sets written as text into PagerDuty's custom details: Alertmanager's, Grafana's and a list like YAML.

    Labels:                          Value: A=93                      - alertname: RedisMemoryHigh
     - alertname = RedisMemoryHigh   Labels:                            alert_type: infra
     - alert_type = infra             - alertname = RedisMemoryHigh
    Annotations:                     Annotations:
     - summary = above 90%            - summary = above 90%
    Source: http://...               Source: ... Silence: ... Dashboard: ... Panel: ...

Values may hold " = " and line breaks. A value is kept to the character, trailing blanks too, because a class
label counts only when it is exact. A value with a line break in it can forge lines: a forged label set fails
the caller's check of the sender's own count, a label given twice is reported, but a label *added* to a set that
lacked it cannot be told from a real one. The JSON shape has no such weakness; prefer it.

Shapes: the templates `__text_alert_list` of Alertmanager <= 0.29 and of Grafana.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sre_agent.intake.untrusted import storable

_ITEM: Final = re.compile(r" *- (?P<name>[^\s=][^=\n]*?) =(?: (?P<value>.*))?")
_LISTED: Final = re.compile(r"(?P<lead>- +| +)(?P<name>[A-Za-z_][\w.-]*): ?(?P<value>.*)")
_OTHER_HEADINGS: Final = ("Source: ", "Silence: ", "Dashboard: ", "Panel: ", "Value: ")


@dataclass
class LabelSet:
    """One alert's labels and annotations as read from text. `doubled`: a label was given twice, with two values."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    doubled: bool = False


def read_label_sets(written: str) -> list[LabelSet]:
    """Every label set in the text; an empty list when it has none of the known shapes."""
    lines = storable(written).replace("\r\n", "\n").split("\n")
    if any(line.strip() == "Labels:" for line in lines):
        return list(_sections(lines))
    return list(_listed(lines))


def _sections(lines: list[str]) -> Iterator[LabelSet]:
    """The "Labels: / Annotations: / Source:" shape, with or without Grafana's extra headings."""
    current: LabelSet | None = None
    section: dict[str, str] | None = None
    name, blanks = "", 0
    for line in lines:
        if line.strip() == "Labels:":
            if current is not None:
                yield current
            current, name, blanks = LabelSet(), "", 0
            section = current.labels
        elif current is None or section is None:
            continue
        elif line.strip() == "Annotations:":
            section, name, blanks = current.annotations, "", 0
        elif line.startswith(_OTHER_HEADINGS):
            section = None
        elif not line.strip():
            blanks += 1  # part of a value only if more of it follows
        elif item := _ITEM.fullmatch(line):
            _continue(section, name, "\n" * blanks)
            name, blanks, value = item["name"], 0, item["value"] or ""
            current.doubled |= section is current.labels and section.get(name, value) != value
            section[name] = value
        else:
            _continue(section, name, "\n" * (blanks + 1) + line)
            blanks = 0
    if current is not None:
        yield current


def _continue(section: dict[str, str], name: str, more: str) -> None:
    """Add further lines to the value read last."""
    if name:
        section[name] += more


def _listed(lines: list[str]) -> Iterator[LabelSet]:
    """The list shape: "- " opens a label set, indented lines belong to it."""
    current: LabelSet | None = None
    for line in lines:
        entry = _LISTED.fullmatch(line)
        if entry is None:
            continue
        if entry["lead"].startswith("-"):
            if current is not None:
                yield current
            current = LabelSet()
        if current is not None:
            value = _unquoted(entry["value"])
            current.doubled |= current.labels.get(entry["name"], value) != value
            current.labels[entry["name"]] = value
    if current is not None:
        yield current


def _unquoted(value: str) -> str:
    """A value without the quotes around it; nothing else is changed."""
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value
