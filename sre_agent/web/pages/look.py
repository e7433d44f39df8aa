"""How a page looks: templates, static files, and what stands around every page."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import one_line, visible
from sre_agent.policy.halt import HaltState
from sre_agent.web.pages import words
from sre_agent.web.visitor import Role, Visitor, visitor_of

_HERE = Path(__file__).resolve().parent.parent
THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
SHORT = 240
"""Characters up to which a value, once made clean, is remembered: most of a page's values are the same on every page."""


@dataclass(frozen=True)
class StaticFile:
    """One file under /static/, read once. `digest` is in the links to it, so that browsers may keep it for ever."""

    name: str
    body: bytes
    content_type: str
    digest: str


@dataclass(frozen=True)
class Frame:
    """What stands around a page: who looks, the kill switch (None: not known here), and how many questions wait."""

    visitor: Visitor | None
    theme: str
    path: str
    now: datetime
    halt: HaltState | None = None
    waiting: int = 0


class Look:
    """The templates and static files of one app."""

    def __init__(self) -> None:
        self.files = {file.name: file for file in map(_read, sorted((_HERE / "static").iterdir())) if file is not None}
        # SAFETY: telemetry, notes and people's words are attacker-controlled text. Autoescape is on for every template, and
        # every value of every template is redacted and made visible first, so that no template can forget it.
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_cleaner(),
        )
        self._templates.filters |= {
            "cut": _cut,
            "when": words.day_and_time,
            "day": words.day,
            "clock": words.clock,
            "iso": words.iso,
            "ago": words.ago,
            "span": words.span,
            "size": words.size,
            "link": words.web_link,
        }
        self._templates.globals |= {
            "static": self._address,
            "says_more": words.says_more,
            "states": words.STATES,
            "verdicts": words.VERDICTS,
            "themes": THEMES,
            "roles": Role,
            "own": _own,
        }

    def page(self, template: str, frame: Frame, view: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """The page made of templates/<template>. Names that the view does not give are an error."""
        return HTMLResponse(self._templates.get_template(template).render(frame=frame, **view), status_code=status)

    def _address(self, name: str) -> Markup:
        return Markup("/static/{}?v={}").format(name, self.files[name].digest)


def frame_of(request: Request, now: datetime, halt: HaltState | None = None, waiting: int = 0) -> Frame:
    """The frame for this request."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return Frame(visitor_of(request), chosen if chosen in THEMES else "auto", request.url.path, now, halt, waiting)


def _read(path: Path) -> StaticFile | None:
    kind = KINDS.get(path.suffix[1:])
    if kind is None:
        return None
    body = path.read_bytes()
    return StaticFile(path.name, body, kind, hashlib.sha256(body).hexdigest()[:16])


def _cleaner() -> Any:
    """Every value on its way into a page: no secret, nothing a reader cannot see; None is empty."""
    remembered = lru_cache(maxsize=4096)(_clean)

    def finalize(value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        text = str(value)
        return remembered(text) if len(text) <= SHORT else _clean(text)

    return finalize


def _clean(text: str) -> str:
    return visible(redact(text))


def _cut(text: object, most: int) -> str:
    """On one line, with at most so many characters.

    SAFETY: redacted before it is cut: half of a secret would no longer be recognised as one.
    """
    whole = one_line(redact(str(text)))
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def _own(text: object) -> Markup:
    """A value of the visitor's own (their name, the token of their forms), which is shown to them as it is."""
    return Markup("{}").format(visible(str(text)))
