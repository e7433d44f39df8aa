"""Text as a reader can see all of it. Pure.

SAFETY: control, bidirectional, invisible and private-use characters are shown as [U+XXXX].
"""

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0000-\U0010ffff]")
_PLAIN = {ord("\n"): " ", ord("\t"): " "}


def visible(text: str) -> str:
    """`text` with every character that a reader cannot see, and variation selectors, made visible."""
    if text.translate(_PLAIN).isprintable() and not _SELECTORS.search(text):
        return text
    return "".join(f"[U+{ord(c):04X}]" if _unseen(c) else c for c in text)


def _unseen(c: str) -> bool:
    return (c not in "\n\t" and unicodedata.category(c) in _HIDDEN) or _SELECTORS.match(c) is not None


_MARKUP = re.compile(r"[\[\]()<>`*~|\\{}]|(?<=\w):(?=//)|(?i:www\.)|@(?=[A-Za-z])|^[\s#>+=-]+|_{2,}")


def unmarked(text: str, most: int = 200) -> str:
    """`text` on one line, without what a chat or a page could make a link, a mention or markup of; cut to `most` characters.

    For foreign words that stand in a sentence of the agent's own: a prompt's name, what its author said about it.
    """
    return " ".join(_MARKUP.sub(" ", visible(text)).split())[:most].rstrip()


def one_line(text: str, most: int | None = None) -> str:
    """`text` visible and on one line, cut to `most` characters: nothing in it can look like a line of its own."""
    return " ".join(visible(text).split())[:most]
