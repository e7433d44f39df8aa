"""Log lines grouped to templates: lines that one statement of a program wrote count as one, also when words in them differ.

The tree of Drain (He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017): a masked
line goes by its number of tokens and its first two tokens to a leaf; there it joins the template that shares the most tokens
with it, or becomes one. Pure; bounded in templates, tokens and remembered lines, whatever arrives.
"""

from sre_agent.evidence.logs.pattern import LONGEST, is_error, pattern

ALIKE = 0.6
"""Share of equal tokens from which a line joins a template."""
MOST_TOKENS = 30
MOST_TEMPLATES = 1000
MOST_REMEMBERED = 20_000
WILD = "#"
REST = "(lines of other kinds)"


class Templates:
    """Templates of one program's lines, numbered from 0 by their first line. Number -1 is what no place was left for."""

    def __init__(self, most: int = MOST_TEMPLATES) -> None:
        self._most = most
        self._tokens: list[list[str]] = []
        self._leaves: dict[tuple[object, ...], list[int]] = {}
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, line: str) -> int:
        """The number of the template that the line is of. Only its first 2 * LONGEST characters are looked at."""
        masked = pattern(line)
        known = self._seen.get(masked)
        if known is not None:
            return known
        number = self._placed(masked, is_error(line[: 2 * LONGEST]))
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[masked] = number
        return number

    def text(self, number: int) -> str:
        """The template, WILD where its lines differ."""
        return " ".join(self._tokens[number]) if 0 <= number < len(self._tokens) else REST

    def _placed(self, masked: str, error: bool) -> int:
        tokens = masked.split()[:MOST_TOKENS]
        # An error never joins what is none, however alike they read.
        head = [t if t.replace(WILD, "") else WILD for t in tokens[:2]]
        leaf = self._leaves.setdefault((error, len(tokens), *head), [])
        best, alike = -1, 0
        for number in leaf:
            same = sum(a == b for a, b in zip(self._tokens[number], tokens, strict=True))
            if same > alike:
                best, alike = number, same
        if best >= 0 and alike >= ALIKE * len(tokens):
            mine = self._tokens[best]
            self._tokens[best] = [a if a == b else WILD for a, b in zip(mine, tokens, strict=True)]
            return best
        if len(self._tokens) >= self._most:
            return best
        self._tokens.append(tokens)
        leaf.append(len(self._tokens) - 1)
        return len(self._tokens) - 1
