"""Where the key of the tags comes from: given, or made once beside the data, readable by nobody else."""

import contextvars

import pytest
from pydantic import SecretStr

from sre_agent.evidence.redact import redact
from sre_agent.settings import fixed
from sre_agent.wiring.redaction import FILE, tag_redactions

TEXT = "password=hunter2hunter2"


def said(**values):
    """What a process with these settings makes of the text."""

    def run():
        tag_redactions(fixed(values))
        return redact(TEXT)

    return contextvars.copy_context().run(run)


def test_a_given_key_is_used_and_nothing_is_written(tmp_path):
    first = said(SRE_AGENT_REDACTION_KEY="a long secret", SRE_AGENT_DATA_DIR=str(tmp_path / "d"))
    assert first == said(SRE_AGENT_REDACTION_KEY=SecretStr("a long secret"), SRE_AGENT_DATA_DIR=str(tmp_path / "e"))
    assert first != said(SRE_AGENT_REDACTION_KEY="another", SRE_AGENT_DATA_DIR=str(tmp_path / "d"))
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_for_its_owner_alone_and_every_start_uses_it(tmp_path):
    folder = tmp_path / "deep" / "data"
    first = said(SRE_AGENT_DATA_DIR=str(folder))
    assert first != "password=[redacted:value]"
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert said(SRE_AGENT_DATA_DIR=str(folder)) == first


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o644), lambda path: path.write_bytes(b"short")])
def test_a_key_that_others_may_read_or_that_is_cut_is_not_used(tmp_path, spoil):
    said(SRE_AGENT_DATA_DIR=str(tmp_path))
    spoil(tmp_path / FILE)
    assert said(SRE_AGENT_DATA_DIR=str(tmp_path)) == "password=[redacted:value]"


def test_a_folder_that_cannot_be_made_means_no_tags_and_no_crash(tmp_path):
    (tmp_path / "file").write_text("x")
    assert said(SRE_AGENT_DATA_DIR=str(tmp_path / "file" / "d")) == "password=[redacted:value]"
