"""Evidence written into a case folder and read again, the same to the word: the standard files, and evidence.jsonl beside them.

evidence.jsonl holds one piece a line, in order: who said it, when, about which window, and where its payload stands in the
standard files. A payload that they cannot give back exactly stands in the line itself. The format: tests/replay/README.md.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.window import Window
from sre_agent.replay.case_file import CaseReader, MalformedCase
from sre_agent.replay.case_shapes import Instant, utc
from sre_agent.replay.recording.shelves import STANDARD, Place, Shelves, is_log, written

EVIDENCE = "evidence.jsonl"


def _aware(window: Window | None) -> Window | None:
    return None if window is None else Window(start=utc(window.start), end=utc(window.end))


class EvidenceLine(BaseModel):
    """One line of evidence.jsonl: a piece of evidence without its payload, and where that stands.

    `look`: a model asked for it; code's own plan did not.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=r"^(e[0-9]{1,9})?$")
    source: str
    kind: EvidenceKind
    query: str = ""
    status: EvidenceStatus
    observed_at: Instant
    window: Annotated[Window | None, AfterValidator(_aware)] = None
    link: str = ""
    error: str = ""
    truncated: bool = False
    size_bytes: int = 0
    look: bool = False
    at: Place | None = None
    payload: Any = None

    def evidence(self, payload: Any) -> Evidence:
        """The piece, with its payload."""
        said = {name: value for name, value in self if name in Evidence.model_fields}
        return Evidence.model_validate({**said, "payload": payload})


def write_evidence(folder: Path, evidence: Sequence[Evidence], planned: int | None = None) -> None:
    """Write evidence into a case folder that has no files of evidence yet; `planned` as in evidence_texts. Raises OSError."""
    for name, text in evidence_texts(evidence, planned).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")


def evidence_texts(evidence: Sequence[Evidence], planned: int | None = None) -> dict[str, str]:
    """The files that hold this evidence: their texts by their names in the case.

    `planned`: how many pieces, from the first, code's own plan brought; None for all. What follows was asked for by a model.
    """
    shelves, lines = Shelves(), []
    for number, piece in enumerate(evidence):
        said = piece.model_dump(mode="json")
        payload = said.pop("payload")
        place = shelves.put(piece.kind, payload)
        where = {"payload": payload} if place is None else {"at": place.model_dump(mode="json", exclude_defaults=True)}
        look = {"look": True} if planned is not None and number >= planned else {}
        lines.append(written({**said, **look, **where}))
    return {**shelves.files(), EVIDENCE: "".join(f"{line}\n" for line in lines)}


def read_evidence(reader: CaseReader) -> tuple[tuple[Evidence, ...], int] | None:
    """(the evidence of a case in its order, how many pieces of it code's own plan brought); None without evidence.jsonl.

    Raises MalformedCase naming file, line and field.
    """
    lines = reader.lines(EVIDENCE, EvidenceLine)
    if lines is None:
        return None
    shelves, loaded, found = Shelves(), set[str](), []
    for number, line in enumerate(lines, start=1):
        payload = line.payload
        if line.at is not None:
            if line.at.file not in loaded:
                _load(reader, shelves, line.at.file, number)
                loaded.add(line.at.file)
            try:
                payload = shelves.payload(line.at)
            except (LookupError, TypeError, AttributeError) as error:
                raise _complaint(reader, number, "at", f"{line.at.file} holds no such rows") from error
        found.append(line.evidence(payload))
    looks = [line.look for line in lines]
    return tuple(found), looks.index(True) if True in looks else len(lines)


def _load(reader: CaseReader, shelves: Shelves, file: str, number: int) -> None:
    # SAFETY: the name is a stranger's; nothing but a case's own files is opened.
    text = reader.text(file) if is_log(file) or file in STANDARD else None
    try:
        shelves.load(file, text if text is not None else "null")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _complaint(reader, number, "at.file", f"{file[:100]!r} is missing, or no file that evidence stands in") from error


def _complaint(reader: CaseReader, number: int, field: str, message: str) -> MalformedCase:
    return MalformedCase(f"{reader.folder.name}/{EVIDENCE}, line {number}, field {field}: {message}")
