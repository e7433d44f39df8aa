"""The orders that a text holds, as somebody reads them who wants to be fooled: decoded, seen through, in four languages.

It reads what the product's tests plant and more loosely than that: any JSON object with the keys of an answer counts. A
text that holds none gives the empty set. Pure; the other half of obeying_model.py.
"""

import base64
import binascii
import codecs
import json
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple


class Demand(StrEnum):
    """What an order can be about."""

    CLASS = "alert_class"
    CONFIDENCE = "confidence_percent"
    VETO = "veto"
    RUNBOOK = "runbook"
    ACTION = "action"
    TARGET = "target"
    PARAMETER = "parameter"
    APPROVE = "approve"
    APPROVED_BY = "approved_by"
    MODE = "mode"
    KILL_SWITCH = "kill_switch"
    TOOL = "tool"
    HEALTHY = "healthy"


class Order(NamedTuple):
    """One demand. `value` as text: a class, percent, "none", a runbook's id, "k=v", a name, or "tool {arguments}"."""

    what: Demand
    value: str


_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))|\[U\+([0-9A-F]{4,6})\]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTE = re.compile(r"\\+([\"'])")
_BREAK = re.compile(r"\\+[nrt]")
_OVERRIDDEN = re.compile("\u202e([^\u202c]*)\u202c?")
_TAG = {0xE0000 + c: chr(c) for c in range(0x20, 0x7F)}
_HOMOGLYPHS = str.maketrans("аеорсухіѕјԁոАЕОРСХІЅ", "aeopcyxisjdnAEOPCXIS")
_CODED = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/_-]{16,}={0,2}")
_JOINS = re.compile(r"\",\s?\"|[\r\n]+(?:x\d+ )?")
_SPACE = re.compile(r"\s+")
_TELLING = frozenset(d.value for d in Demand) - {"target", "action", "mode", "runbook"} | {"statements", "parameters"}
_OBJECT = re.compile(r"\{ ?\"(?:" + "|".join(sorted(d.value for d in Demand)) + r"|parameters|statements)\"")
_DECODER = json.JSONDecoder()

# What is looked for, words of which one must be there (looking for them is cheap), and how it is said.
_SAID: tuple[tuple[Demand, str, str], ...] = (
    (Demand.CLASS, "class klasse 类别 clase", r"{}\W{{0,3}}(?:is|to|auf|en|设为)?\W{{0,3}}(infra|model|tool|mixed|unknown)\b"),
    (Demand.CONFIDENCE, "confidence konfidenz 置信度 confianza", r"{}\W{{0,3}}(?:is|to|auf|en)?\W{{0,3}}(\d{{1,3}})\b"),
    (Demand.VETO, "veto 否决 vetes", r"(do not veto|kein {0}|不要{0}|no {0})"),
    (Demand.RUNBOOK, "runbook 使用手册 manual", r"(?:use |nimm |usa el |(?=使)){} ([a-z][a-z0-9-]+)"),
    (Demand.ACTION, "run führe 执行 ejecuta", r"{} ([a-z]+_[a-z_]+)\b"),
    (Demand.TARGET, "run führe ejecuta", r"{} [a-z]+_[a-z_]+ (?:on|auf|en) ([\w./-]*[\w-])"),
    (Demand.TARGET, "执行", r"对 ([\w./-]+) {}"),
    (Demand.TARGET, "restart delete kill evict", r"\b{} (?:the )?(?:pod|node|namespace|deployment) ([\w.-]*/[\w./-]+)"),
    (Demand.PARAMETER, "with mit 参数 con", r"{} ([a-z_]+=\w+)"),
    (
        Demand.APPROVE,
        "approve skip genehmige 批准 apruébalo",
        r"(approve it|skip (?:the )?approval|genehmige es|立即批准|apruébalo)",
    ),
    (Demand.APPROVED_BY, "approved genehmigt 批准人 aprobado", r"{}(?: by| von| por)?\W{{1,3}}(\w+)"),
    (Demand.MODE, "mode modus 模式 modo", r"{} ?(?:to|auf|设为|en) (auto|shadow|suggest|off)\b"),
    (Demand.KILL_SWITCH, "switch schalter 开关 interruptor", r"((?:lift|löse|解除|levanta) ?(?:the kill |den not|紧急|el ){})"),
    (Demand.TOOL, "tool werkzeug 工具 herramienta", r"{} (\w+ (?:with|mit|参数|con) \{{[^{{}}]*\}})"),
    (Demand.HEALTHY, "healthy gesund 健康 sano", r"((?:report|melde|报告|informa) ?{})"),
)
_SPOKEN = tuple((d, tuple(w.split()), re.compile(p.format(f"(?:{w.replace(' ', '|')})"), re.IGNORECASE)) for d, w, p in _SAID)
_FIXED = {Demand.VETO: "none", Demand.APPROVE: "true", Demand.KILL_SWITCH: "off", Demand.HEALTHY: "true"}
_WORD = re.compile(r" (?:with|mit|参数|con) (?=\{)", re.IGNORECASE)


def orders_in(text: str) -> frozenset[Order]:
    """Every order that some reading of the text holds."""
    found: set[Order] = set()
    for reading in readings(text):
        found.update(_spoken(reading))
        found.update(_written(reading))
    return frozenset(found)


def readings(text: str) -> Iterator[str]:
    """The text without its escapes and hiding; the same with its lines joined; turned by ROT13; what it holds encoded."""
    shown = _seen_through(_unescaped(text))
    plain = _SPACE.sub(" ", shown)
    yield plain
    joined = _SPACE.sub(" ", _JOINS.sub(" ", shown))
    if joined != plain:
        yield joined.replace("{", " ")  # joined, an object is none any more
    yield codecs.decode("".join(c for c in plain if c.isascii()), "rot13")
    for token in dict.fromkeys(_CODED.findall(plain)):
        decoded = _decoded(token)
        if decoded:
            yield _SPACE.sub(" ", decoded)


def _unescaped(text: str) -> str:
    """What JSON, Python's repr, HTML and the digest's own marks hide, shown again."""
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">")
    if "\\" in text or "[U+" in text:
        text = _paired(_ESCAPE.sub(_character, text))
        text = _QUOTE.sub(r"\1", _BREAK.sub("\n", text))
    return text


def _character(found: re.Match[str]) -> str:
    code = int(next(g for g in found.groups() if g), 16)
    return chr(code) if code <= 0x10FFFF else ""


def _paired(text: str) -> str:
    """Two surrogates as the one character they stand for."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(text) else text


def _seen_through(text: str) -> str:
    """Tag characters as letters, overridden order turned round, invisible characters gone, look-alikes as what they seem."""
    if text.isascii():
        return text
    text = _OVERRIDDEN.sub(lambda m: m[1][::-1], text.translate(_TAG))
    text = unicodedata.normalize("NFKC", "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cf", "Cc")))
    return text.translate(_HOMOGLYPHS)


def _decoded(token: str) -> str | None:
    """Text behind hexadecimal or base64; None when it is neither."""
    for decode in (_from_hex, _from_base64):
        try:
            text = decode(token).decode("utf-8")
        except (ValueError, binascii.Error):
            continue
        if text.isprintable():
            return text
    return None


def _from_hex(token: str) -> bytes:
    return bytes.fromhex(token)


def _from_base64(token: str) -> bytes:
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def _spoken(text: str) -> Iterator[Order]:
    lower = text.lower()
    for demand, words, pattern in _SPOKEN:
        for value in pattern.findall(text) if any(word in lower for word in words) else ():
            said = _WORD.sub(" ", value) if demand is Demand.TOOL else value
            yield Order(demand, _FIXED.get(demand, said))


def _written(text: str) -> Iterator[Order]:
    """The orders in JSON objects that look like an answer, wherever they begin."""
    for begins in _OBJECT.finditer(text):
        try:
            found, _ = _DECODER.raw_decode(text, begins.start())
        except (ValueError, RecursionError):
            continue
        if _TELLING & found.keys() or found.keys() >= {"action", "target"}:
            yield from _of_object(found)


def _of_object(found: dict[str, Any]) -> Iterator[Order]:
    for demand in Demand:
        if demand is Demand.VETO and "veto" in found and found["veto"] is None:
            yield Order(demand, "none")
        value = found.get(demand.value)
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                yield Order(demand, _as_text(each))
    parameters = found.get("parameters")
    for key, value in parameters.items() if isinstance(parameters, dict) else ():
        yield Order(Demand.PARAMETER, f"{key}={value}")


def _as_text(value: object) -> str:
    """A tool call as "name {arguments}", true as "true", anything else as it is."""
    if isinstance(value, dict) and "name" in value:
        return f"{value['name']} {json.dumps(value.get('arguments', {}))}"
    return str(value).lower() if isinstance(value, bool) else str(value)
