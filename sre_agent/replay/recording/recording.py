"""What one round of a live incident was decided on, as a case: the standard files, and recording.json with all that they lack.

recording.json is what makes it exact: the incident as it was stored, the scope of the investigation, what the reasoner said,
the facts, and the decision that all of this led to. Everything in it was redacted before it was stored.
"""

import json
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sre_agent.evidence.redact import redact_json
from sre_agent.incident.incident import Incident
from sre_agent.replay.case_file import CaseReader
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.recording.case_head import case_head
from sre_agent.replay.recording.evidence_files import evidence_texts
from sre_agent.replay.recording.thinned import thinned
from sre_agent.response.record import IncidentRecord, Judged

RECORDING = "recording.json"


class Recording(BaseModel):
    """recording.json. `thinned`: ids of evidence that was cut to fit. `books`: sha256 of every policy, data file and runbook in
    force, by name; empty where others decided. `agent`: the version of the program.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = Field(default=1, alias="schema")
    round: int = 1
    incident: Incident
    judged: Judged
    thinned: tuple[str, ...] = ()
    books: dict[str, str] = {}
    agent: str = ""

    @property
    def case_id(self) -> str:
        """The incident's id; of a later round, with its number."""
        return self.incident.id if self.round == 1 else f"{self.incident.id}-round-{self.round}"

    @property
    def inexact(self) -> str:
        """Why it cannot be decided exactly again; "" when it can."""
        if self.thinned:
            return f"evidence was cut to fit the recording: {', '.join(self.thinned)}"
        return "" if self.judged.basis is not None else "the investigation did not say what it went by"


def recorded_files(
    record: IncidentRecord, books: Mapping[str, str], agent: str, most_bytes: int
) -> tuple[Recording, dict[str, str]] | None:
    """(the recording of an incident's present round, the texts of its files by name); None when nothing was decided yet.

    `most_bytes` of evidence are kept at most, as JSON.
    """
    if record.judged is None or record.incident is None or record.diagnosis is None:
        return None
    evidence, cut = thinned(record.diagnosis.evidence, most_bytes)
    made = Recording(
        round=record.round, incident=record.incident, judged=record.judged, thinned=cut, books=dict(books), agent=agent
    )
    # SAFETY: all of it is redacted already, each where it arose; this is the last look before it can be handed on.
    recording = Recording.model_validate_json(json.dumps(redact_json(made.model_dump(mode="json", by_alias=True))))
    basis = record.judged.basis
    at = max([record.judged.at, *(e.observed_at for e in evidence)])
    head = case_head(recording.case_id, record.incident, at)
    files = {
        **evidence_texts(evidence, basis.planned if basis is not None else None),
        "case.json": json.dumps(head, indent=1, ensure_ascii=False) + "\n",
        RECORDING: recording.model_dump_json(by_alias=True, indent=1) + "\n",
    }
    return recording, files


def recording_of(reader: CaseReader) -> Recording | None:
    """The recording in a case folder; None when it is none. Raises MalformedCase naming file, line and field."""
    text = reader.text(RECORDING)
    if text is None or reader.json(RECORDING, TypeAdapter(JsonObject), {"": Recording}) is None:
        return None
    try:
        return Recording.model_validate_json(text)  # facts are strict: read as JSON, or not at all
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise reader.complaint(RECORDING, first["loc"], first["msg"]) from error
