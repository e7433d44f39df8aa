"""Which series belong to an incident's subject, as bare PromQL selectors. Pure.

Two ways: the identity that the alerts' labels name, and the metrics that the alert's own rule compares. An expression is
only read, never sent back: what is asked is put together anew from names and quoted values.
Source of the grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident

MAX_SELECTORS = 12
MAX_ALERTED = 6
LONGEST_EXPRESSION = 10_000
# Label sets that name one subject, most specific first; the first that an alert carries in full wins within its group.
IDENTITIES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("namespace", "pod"), ("namespace", "deployment"), ("namespace", "statefulset"), ("namespace", "daemonset")),
    (("redis_master",),),
    (("tool_name",),),
    (("prompt",), ("prompt_name",)),
    (("model",), ("provider",)),
    (("node",),),
    (("service",), ("queue",)),
)
_WORKLOADS = ("deployment", "statefulset", "daemonset")
_TOKEN = re.compile(
    r"(?P<blank>\s+|\#[^\n]*)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    r"|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<number>[0-9.][0-9a-zA-Z_.]*)"
    r"|(?P<mark>=~|!~|!=|==|<=|>=|[\s\S])"
)
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = _LABEL_LISTS | {"bool", "and", "or", "unless", "offset", "atan2", "inf", "nan", "start", "end"}
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"', "'": "'"}


@dataclass(frozen=True)
class Selector:
    """One vector selector: the metric's name ("" when only matchers say) and (label, operator, value) triples."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()

    def within(self, labels: Mapping[str, str]) -> str:
        """As PromQL, narrowed to series that carry these labels too; an equality that it has already stands."""
        fixed = {label for label, operator, _ in self.matchers if operator == "="}
        added = [(k, "=", v) for k, v in sorted(labels.items()) if k not in fixed and v and _LABEL_NAME.fullmatch(k)]
        plain = _METRIC_NAME.fullmatch(self.name) is not None
        named = [] if plain or not self.name else [("__name__", "=", self.name)]
        inner = ",".join(f'{k}{op}"{_escape(v)}"' for k, op, v in (*named, *self.matchers, *added))
        return (self.name if plain else "") + (f"{{{inner}}}" if inner else "")


def selectors_of(incident: Incident) -> tuple[str, ...]:
    """Each distinct identity as a selector such as `{redis_master="cache"}`, in the alerts' order, MAX_SELECTORS at most."""
    found = dict.fromkeys(selector for alert in incident.alerts for selector in _identities(alert))
    return tuple(found)[:MAX_SELECTORS]


def compared(expression: str) -> tuple[Selector, ...]:
    """The vector selectors of an expression, MAX_ALERTED at most; what cannot be read as one is left out."""
    if len(expression) > LONGEST_EXPRESSION:
        return ()
    found = dict.fromkeys(s for s in _scan(_tokens(expression)) if s.name or any(op == "=" and v for _, op, v in s.matchers))
    return tuple(found)[:MAX_ALERTED]


def _tokens(expression: str) -> list[tuple[str, str]]:
    """(kind, text) pairs without blanks and comments."""
    told = ((m.lastgroup or "", m[0]) for m in _TOKEN.finditer(expression))
    return [(kind, text) for kind, text in told if kind != "blank"]


def _scan(tokens: list[tuple[str, str]]) -> Iterator[Selector]:
    """A word is a metric unless it is a keyword, a function or aggregation, or inside brackets or a list of labels."""
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if text == "[":
            at = _past(tokens, at, "]")
        elif kind == "word" and text.lower() in _LABEL_LISTS and following == "(":
            at = _past(tokens, at + 1, ")")
        elif text == "{" and kind == "mark":
            end = _past(tokens, at, "}")
            yield _selector("", tokens[at + 1 : end - 1])
            at = end
        elif kind == "word" and text.lower() not in _WORDS and following not in ("(", "by", "without"):
            end = _past(tokens, at + 1, "}") if following == "{" else at + 1
            yield _selector(text, tokens[at + 2 : end - 1])
            at = end
        else:
            at += 1


def _past(tokens: list[tuple[str, str]], at: int, closing: str) -> int:
    """The index after the next `closing`; the end of all when it is missing."""
    return next((i + 1 for i in range(at, len(tokens)) if tokens[i] == ("mark", closing)), len(tokens))


def _selector(name: str, inner: list[tuple[str, str]]) -> Selector:
    """The matchers between the braces; a quoted text that stands alone is the metric's name (UTF-8 names)."""
    matchers: list[tuple[str, str, str]] = []
    at = 0
    while at < len(inner):
        label, operator, value = (*inner[at : at + 3], ("", ""), ("", ""))[:3]
        if label[0] in ("word", "text") and operator[1] in ("=", "!=", "=~", "!~") and value[0] == "text":
            key = _unquoted(label[1]) if label[0] == "text" else label[1]
            if key == "__name__" and operator[1] == "=":
                name = name or _unquoted(value[1])
            elif _LABEL_NAME.fullmatch(key):
                matchers.append((key, operator[1], _unquoted(value[1])))
            at += 3
        else:
            name = name or (_unquoted(label[1]) if label[0] == "text" else "")
            at += 1
    return Selector(name, tuple(matchers))


def _unquoted(text: str) -> str:
    """A PromQL string's value; inside backticks a backslash is itself."""
    return text[1:-1] if text.startswith("`") else _ESCAPED.sub(lambda m: _MEANS.get(m[1], m[0]), text[1:-1])


def _identities(alert: Alert) -> Iterator[str]:
    labels = {k: v for k, v in alert.labels.items() if v}
    for group in IDENTITIES:
        chosen = next((names for names in group if all(n in labels for n in names)), None)
        if chosen is None:
            continue
        yield "{" + ",".join(f'{n}="{_escape(labels[n])}"' for n in chosen) + "}"
        if chosen[-1] in _WORKLOADS:
            # cAdvisor and kube-state-metrics label a workload's pods with the pod's name only.
            pods = _escape(re.escape(labels[chosen[-1]]) + "-.+")
            yield f'{{namespace="{_escape(labels["namespace"])}",pod=~"{pods}"}}'


def _escape(value: str) -> str:
    """A label value inside PromQL double quotes. Text from an alert can never end the string it is in."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
