"""From tokens to a tree, by precedence; types are checked as Prometheus checks them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sre_agent.rules.promql.functions import AGGREGATIONS, complaint, gives
from sre_agent.rules.promql.tokens import NotPromQL, Token, range_of, seconds, tokens, unquoted
from sre_agent.rules.promql.tree import (
    COMPARISONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Expression,
    Kind,
    Matching,
    Minus,
    Number,
    Selector,
    Subquery,
    Text,
)

MOST_DEPTH: Final = 80
MOST_OPERATORS: Final = 200
"""A chain of operators is as deep as it is long."""
_POWER: Final = 6
_BINDS: Final = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(COMPARISONS, 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": _POWER,
}
_CONSTANTS: Final = {"inf": float("inf"), "nan": float("nan")}


@lru_cache(maxsize=4096)
def parse(expression: str) -> Expression:
    """The tree of an expression. Raises NotPromQL."""
    parser = _Parser(tokens(expression))
    found = parser.expression(1)
    parser.expect_end()
    return found


def kind(of: Expression) -> Kind:
    """What an expression yields."""
    match of:
        case Number():
            return Kind.SCALAR
        case Text():
            return Kind.TEXT
        case Selector():
            return Kind.VECTOR if of.range_s is None else Kind.MATRIX
        case Subquery():
            return Kind.MATRIX
        case Call():
            return gives(of.function)
        case Minus():
            return kind(of.operand)
        case Binary():
            return of.gives
        case Aggregate():
            return Kind.VECTOR


@dataclass
class _Parser:
    """Reads ahead by one token."""

    tokens: list[Token]
    at: int = 0
    depth: int = 0
    operators: int = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def expression(self, least: int) -> Expression:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise NotPromQL(f"is nested deeper than {MOST_DEPTH} levels", self.next.start, beyond=True)
        left = self._operand()
        while (binds := _BINDS.get(self.next.text.lower(), 0) if self.next.kind in ("mark", "word") else 0) >= least:
            left = self._binary(left, self._take(), binds)
        self.depth -= 1
        return left

    def expect_end(self) -> None:
        if self.next.kind != "end":
            raise NotPromQL(f"unexpected {self.next.text!r}", self.next.start)

    def _binary(self, left: Expression, operator: Token, binds: int) -> Expression:
        self.operators += 1
        if self.operators > MOST_OPERATORS:
            raise NotPromQL(f"has more than {MOST_OPERATORS} operators", operator.start, beyond=True)
        as_bool = self._word("bool")
        matching = self._matching()
        right = self.expression(binds if binds == _POWER else binds + 1)
        sides = kind(left), kind(right)
        gives = Kind.SCALAR if sides == (Kind.SCALAR, Kind.SCALAR) else Kind.VECTOR
        found = Binary(operator.text.lower(), left, right, as_bool, matching, gives, left.start, right.end)
        _check_sides(found, sides, operator.start)
        return found

    def _matching(self) -> Matching | None:
        how = self.next.text.lower()
        if self.next.kind != "word" or how not in ("on", "ignoring"):
            return None
        self._take()
        labels = self._labels()
        group, included = "", tuple[str, ...]()
        if self.next.kind == "word" and self.next.text.lower() in ("group_left", "group_right"):
            group = self._take().text.lower()
            included = self._labels() if self.next.text == "(" else ()
        return Matching(how, labels, group, included)

    def _labels(self) -> tuple[str, ...]:
        """A list of label names in brackets."""
        self._mark("(")
        found = list[str]()
        while self.next.text != ")":
            name = self._take()
            if name.kind not in ("word", "text"):
                raise NotPromQL(f"unexpected {name.text!r} in a list of labels", name.start)
            found.append(unquoted(name.text) if name.kind == "text" else name.text)
            if self.next.text != ")":
                self._mark(",")
        self._take()
        return tuple(found)

    def _operand(self) -> Expression:
        token = self._take()
        if token.kind == "mark" and token.text in "+-":
            operand = self.expression(_POWER)
            if kind(operand) not in (Kind.SCALAR, Kind.VECTOR):
                raise NotPromQL(f"a sign before {kind(operand)}", token.start)
            return Minus(operand, token.start, operand.end) if token.text == "-" else operand
        if token.kind == "mark" and token.text == "(":
            found = self.expression(1)
            self._mark(")")
            return self._modified(found)
        if token.kind == "number":
            return Number(_number(token), token.start, token.end)
        if token.kind == "duration":
            return Number(seconds(token.text), token.start, token.end)
        if token.kind == "text":
            return Text(unquoted(token.text), token.start, token.end)
        if token.kind == "mark" and token.text == "{":
            return self._modified(self._selector("", token))
        if token.kind == "word":
            return self._modified(self._named(token))
        raise NotPromQL("ends too early" if token.kind == "end" else f"unexpected {token.text!r}", token.start)

    def _named(self, word: Token) -> Expression:
        lower = word.text.lower()
        following = self.next.text.lower()
        if lower in AGGREGATIONS and following in ("(", "by", "without"):
            return self._aggregate(word)
        if following == "(":
            return self._call(word)
        if following == "{":
            return self._selector(word.text, self._take(), word.start)
        if lower in _CONSTANTS:
            return Number(_CONSTANTS[lower], word.start, word.end)
        if lower in _BINDS or lower in ("bool", "on", "ignoring", "offset"):
            raise NotPromQL(f"unexpected {word.text!r}", word.start)
        return Selector(word.text, (), None, word.start, word.end, word.end)

    def _call(self, word: Token) -> Expression:
        arguments, end = self._arguments()
        wrong = complaint(word.text, tuple(map(kind, arguments)))
        if wrong:
            raise NotPromQL(wrong, word.start)
        return Call(word.text, arguments, word.start, end)

    def _arguments(self) -> tuple[tuple[Expression, ...], int]:
        self._mark("(")
        found = list[Expression]()
        while self.next.text != ")" or self.next.kind != "mark":
            found.append(self.expression(1))
            if self.next.text != ")":
                self._mark(",")
                if self.next.text == ")":
                    raise NotPromQL("a comma without an argument after it", self.next.start)
        return tuple(found), self._take().end

    def _aggregate(self, word: Token) -> Expression:
        kept, labels, list_open = self._kept()
        opened = self.next.start
        arguments, end = self._arguments()
        if not kept:
            kept, labels, list_open = self._kept()
            end = max(end, self.tokens[self.at - 1].end)
        operator = word.text.lower()
        wanted = (*{"s": (Kind.SCALAR,), "t": (Kind.TEXT,)}.get(AGGREGATIONS[operator], ()), Kind.VECTOR)
        if tuple(map(kind, arguments)) != wanted:
            raise NotPromQL(f"{operator} takes {' and '.join(wanted)}", word.start)
        parameter = arguments[0] if len(arguments) > 1 else None
        return Aggregate(operator, arguments[-1], parameter, kept, labels, word.start, end, opened, list_open)

    def _kept(self) -> tuple[str, tuple[str, ...], int]:
        if self.next.kind != "word" or self.next.text.lower() not in ("by", "without"):
            return "", (), -1
        kept = self._take().text.lower()
        opened = self.next.start
        return kept, self._labels(), opened

    def _selector(self, name: str, brace: Token, start: int | None = None) -> Expression:
        matchers = list[tuple[str, str, str]]()
        while self.next.text != "}" or self.next.kind != "mark":
            name = self._matcher(name, matchers)
            if self.next.text != "}":
                self._mark(",")
        end = self._take().end
        begin = brace.start if start is None else start
        if not name and not any((op == "=" and v) or (op == "!=" and not v) or op == "=~" for _, op, v in matchers):
            raise NotPromQL("a selector needs a name or a matcher that is not empty", begin)
        return Selector(name, tuple(matchers), None, begin, end, end)

    def _matcher(self, name: str, matchers: list[tuple[str, str, str]]) -> str:
        """One matcher, added to the others; a quoted text alone is the metric's name (UTF-8 names)."""
        label = self._take()
        if label.kind not in ("word", "text"):
            raise NotPromQL(f"unexpected {label.text!r} between braces", label.start)
        key = unquoted(label.text) if label.kind == "text" else label.text
        if label.kind == "text" and self.next.text in (",", "}"):
            return name or key
        operator, value = self._take(), self._take()
        if operator.text not in ("=", "!=", "=~", "!~") or value.kind != "text":
            raise NotPromQL(f"{key} needs =, !=, =~ or !~ and a quoted text", label.start)
        meant = unquoted(value.text)
        if key == "__name__" and operator.text == "=":
            return name or meant
        matchers.append((key, operator.text, meant))
        return name

    def _modified(self, found: Expression) -> Expression:
        """With the range, offset and @ that follow."""
        while True:
            if self.next.kind == "range":
                token = self._take()
                found = _ranged(found, token)
            elif self._word("offset"):
                sign = self._take() if self.next.text in ("-", "+") else None
                length = self._take()
                if length.kind not in ("duration", "number"):
                    raise NotPromQL("offset needs a duration", (sign or length).start)
                found = _longer(found, length.end)
            elif self.next.text == "@" and self.next.kind == "mark":
                self._take()
                found = _longer(found, self._moment())
            else:
                return found

    def _moment(self) -> int:
        """The end of what follows an @: a number, start() or end()."""
        token = self._take()
        if token.text in ("-", "+"):
            token = self._take()
        if token.kind == "word" and token.text in ("start", "end"):
            self._mark("(")
            return self._mark(")").end
        if token.kind != "number":
            raise NotPromQL("@ needs a time", token.start)
        return token.end

    def _take(self) -> Token:
        token = self.next
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def _mark(self, text: str) -> Token:
        token = self._take()
        if token.text != text or token.kind != "mark":
            raise NotPromQL("ends too early" if token.kind == "end" else f"{text!r} expected, not {token.text!r}", token.start)
        return token

    def _word(self, text: str) -> bool:
        if self.next.kind == "word" and self.next.text.lower() == text:
            self._take()
            return True
        return False


def _number(token: Token) -> float:
    text = token.text.replace("_", "")
    return float(int(text, 16)) if text[:2].lower() == "0x" else float(text)


def _ranged(found: Expression, token: Token) -> Expression:
    length, subquery = range_of(token)
    if subquery:
        if kind(found) is not Kind.VECTOR:
            raise NotPromQL("a subquery needs an instant vector", token.start)
        return Subquery(found, length, found.start, token.end)
    if not isinstance(found, Selector) or found.range_s is not None:
        raise NotPromQL("a range is only for a selector; write [5m:] for a subquery", token.start)
    return Selector(found.name, found.matchers, length, found.start, found.body_end, token.end)


def _longer(found: Expression, end: int) -> Expression:
    """The same with its offset or @."""
    if isinstance(found, Selector):
        return Selector(found.name, found.matchers, found.range_s, found.start, found.body_end, end)
    if isinstance(found, Subquery):
        return Subquery(found.inner, found.range_s, found.start, end)
    raise NotPromQL("offset and @ are only for a selector or a subquery", found.start)


def _check_sides(found: Binary, sides: tuple[Kind, Kind], at: int) -> None:
    if any(side not in (Kind.SCALAR, Kind.VECTOR) for side in sides):
        raise NotPromQL(f"{found.operator} stands between {sides[0]} and {sides[1]}", at)
    numbers = Kind.SCALAR in sides
    if found.operator in SETS and numbers:
        raise NotPromQL(f"{found.operator} needs an instant vector on both sides", at)
    if found.as_bool and found.operator not in COMPARISONS:
        raise NotPromQL("bool is only for comparisons", at)
    if found.operator in COMPARISONS and sides == (Kind.SCALAR, Kind.SCALAR) and not found.as_bool:
        raise NotPromQL("a comparison of two numbers needs bool", at)
    matching = found.matching
    if matching is not None and matching.labels and numbers:
        raise NotPromQL("on and ignoring need an instant vector on both sides", at)
    if matching is not None and matching.group and found.operator in SETS:
        raise NotPromQL(f"{matching.group} has no meaning with {found.operator}", at)
    if matching is not None and matching.how == "on" and set(matching.labels) & set(matching.included):
        raise NotPromQL(f"a label is matched on and taken over by {matching.group} at once", at)
