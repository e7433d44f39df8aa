"""An expression's text as a tree. What Go's parser refuses is refused here, and so are Unicode's named classes (\\p).

Source: https://github.com/google/re2/wiki/Syntax, with the limits of Go's regexp/syntax: no counted repetition above 1,000, also
not as a product of nested ones.
"""

import re
from typing import Final

from sre_agent.routing.expression.characters import ALL, NO_NEWLINE, PERL, POSIX, Ranges, folded, others, united
from sre_agent.routing.expression.escapes import Source, escaped
from sre_agent.routing.expression.tree import Char, Choice, Edge, Part, Place, Repeat, Row

MOST_REPEATS: Final = 1_000
DEEPEST: Final = 100
_BRACES: Final = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")
_FLAGS: Final = re.compile(r"\(\?([imsU]*)(?:(-)([imsU]+))?([:)])")
_NAMED: Final = re.compile(r"\(\?P<([0-9A-Za-z_]+)>")
_STARS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_EDGES: Final = {"A": Edge.TEXT_BEGIN, "z": Edge.TEXT_END, "b": Edge.WORD, "B": Edge.NO_WORD}


def parsed(text: str) -> Part:
    """The tree of an expression. Raises ValueError that says what is wrong with it."""
    parser = _Parser(text)
    found = parser.choice(0)
    if parser.source.left():
        raise ValueError("a closing parenthesis too many")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self.flags: frozenset[str] = frozenset()

    def choice(self, depth: int) -> Part:
        """Everything up to the end of the group."""
        if depth > DEEPEST:
            raise ValueError(f"groups in more than {DEEPEST} groups")
        branches = [self._row(depth)]
        while self.source.took("|"):
            branches.append(self._row(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _row(self, depth: int) -> Part:
        parts: list[Part] = []
        repeated = False
        while self.source.left() and self.source.next not in "|)":
            how = self._repetition()
            if how is not None:
                if repeated:
                    raise ValueError("a repetition of a repetition without parentheses")
                if not parts:
                    raise ValueError("a repetition of nothing")
                parts[-1] = _checked(Repeat(parts[-1], *how))
            else:
                parts += self._atom(depth)
            repeated = how is not None
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _repetition(self) -> tuple[int, int | None, bool] | None:
        """(least, most, counted), when that is what comes next."""
        char = self.source.next
        found: tuple[int, int | None, bool]
        if char in _STARS:
            self.source.skip(1)
            found = (*_STARS[char], False)
        elif braces := self.source.match(_BRACES):
            least = _count(braces[1])
            most = least if braces[2] is None else None if braces[3] is None else _count(braces[3])
            if most is not None and most < least:
                raise ValueError(f"the repetition {braces[0]} ends before it begins")
            found = (least, most, True)
        else:
            return None
        self.source.took("?")  # The shortest first: the same texts fit.
        return found

    def _atom(self, depth: int) -> tuple[Part, ...]:
        source = self.source
        if source.next == "(":
            return self._group(depth)
        if source.next == "[":
            return (Char(self._class()),)
        if source.next == "\\":
            return self._escape()
        char = source.taken()
        lines = "m" in self.flags
        if char == ".":
            return (Char(ALL if "s" in self.flags else NO_NEWLINE),)
        if char == "^":
            return (Place(Edge.LINE_BEGIN if lines else Edge.TEXT_BEGIN),)
        if char == "$":
            return (Place(Edge.LINE_END if lines else Edge.TEXT_END),)
        return (self._literal(ord(char)),)

    def _group(self, depth: int) -> tuple[Part, ...]:
        before = self.flags
        if flags := self.source.match(_FLAGS):
            self.flags = (self.flags | frozenset(flags[1])) - frozenset(flags[3] or "")
            if flags[4] == ")":
                return ()
        elif self.source.match(_NAMED):
            pass  # Nothing can refer to it.
        elif self.source.rest.startswith("(?"):
            raise ValueError(f"{self.source.rest[:4]} is not known to Alertmanager's regular expressions")
        else:
            self.source.skip(1)
        found = self.choice(depth + 1)
        if not self.source.took(")"):
            raise ValueError("a parenthesis that nothing closes")
        self.flags = before
        return (found,)

    def _escape(self) -> tuple[Part, ...]:
        source = self.source
        char = source.rest[1:2]
        if char in _EDGES and char:
            source.skip(2)
            return (Place(_EDGES[char]),)
        if char == "Q":
            source.skip(2)
            quoted, _, _ = source.rest.partition("\\E")
            source.skip(len(quoted))
            source.took("\\E")
            return tuple(self._literal(ord(c)) for c in quoted)
        if (named := self._perl()) is not None:
            return (Char(named),)
        return (self._literal(escaped(source)),)

    def _perl(self) -> Ranges | None:
        """\\d, \\w, \\s and what they leave, when that comes next."""
        char = self.source.rest[1:2]
        if self.source.next != "\\" or char.lower() not in PERL or not char:
            return None
        self.source.skip(2)
        found = self._folded(PERL[char.lower()])
        return others(found) if char.isupper() else found

    def _class(self) -> Ranges:
        source = self.source
        source.skip(1)
        negated = source.took("^")
        found: list[tuple[int, int]] = []
        first = True
        while first or source.next != "]":
            if not source.left():
                raise ValueError("a bracket that nothing closes")
            first = False
            named = self._posix() or self._perl()
            found += named if named is not None else self._folded((self._range(),))
        source.skip(1)
        return others(united(found)) if negated else united(found)

    def _posix(self) -> Ranges | None:
        """[:alpha:] and its like, when that comes next."""
        source = self.source
        end = source.rest.find(":]", 2)
        if not source.rest.startswith("[:") or end < 0:
            return None
        name = source.rest[2:end]
        known = POSIX.get(name.removeprefix("^"))
        if known is None:
            raise ValueError(f"[:{name[:20]}:] is no class of characters")
        source.skip(end + 2)
        ranges = self._folded(known)
        return others(ranges) if name.startswith("^") else ranges

    def _range(self) -> tuple[int, int]:
        source = self.source
        low = high = self._class_char()
        if source.next == "-" and source.rest[1:2] not in ("", "]"):
            source.skip(1)
            high = self._class_char()
        if high < low:
            raise ValueError(f"the range {chr(low)}-{chr(high)} is the wrong way round")
        return low, high

    def _class_char(self) -> int:
        if not self.source.left():
            raise ValueError("a bracket that nothing closes")
        return escaped(self.source) if self.source.next == "\\" else ord(self.source.taken())

    def _literal(self, point: int) -> Char:
        return Char(self._folded(((point, point),)))

    def _folded(self, ranges: Ranges) -> Ranges:
        return folded(ranges) if "i" in self.flags else united(ranges)


def _count(digits: str) -> int:
    if len(digits) > 4 or int(digits) > MOST_REPEATS:
        raise ValueError(f"a repetition of more than {MOST_REPEATS}")
    return int(digits)


def _checked(repeat: Repeat) -> Repeat:
    """The repetition, unless it and those in it make too many."""
    if repeat.counted and max(repeat.least, repeat.most or 0) >= 2 and _product(repeat) > MOST_REPEATS:
        raise ValueError(f"repetitions that together make more than {MOST_REPEATS}")
    return repeat


def _product(part: Part) -> int:
    if isinstance(part, Repeat):
        times = (part.least if part.most is None else part.most) if part.counted else 1
        return 1 if part.most == 0 else max(times, 1) * _product(part.part)
    return max((_product(one) for one in part.parts), default=1) if isinstance(part, Row | Choice) else 1
