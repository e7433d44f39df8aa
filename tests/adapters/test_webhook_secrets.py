"""The file of webhook secrets: only its owner's, never half written, and read again as soon as it changes."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sre_agent.adapters.webhook_secrets import SecretsFile, WatchedSecrets
from sre_agent.incident.errors import ConfigurationError
from sre_agent.intake.pagerduty import verify_signature
from sre_agent.testing.pagerduty_webhooks import signature


@pytest.fixture
def file(tmp_path: Path) -> SecretsFile:
    return SecretsFile(tmp_path / "deep" / "secrets.json")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_no_file_holds_no_secrets(file: SecretsFile) -> None:
    assert file.read() == {}


def test_a_kept_secret_is_there_and_only_its_owner_may_read_it(file: SecretsFile) -> None:
    os.umask(0)
    try:
        file.keep("PSUB001", "one")
    finally:
        os.umask(0o022)
    assert (file.read(), mode(file.path), mode(file.path.parent)) == ({"PSUB001": "one"}, 0o600, 0o700)


def test_the_others_are_kept_when_one_is_added_replaced_or_forgotten(file: SecretsFile) -> None:
    for name, secret in (("PSUB001", "one"), ("PSUB002", "two"), ("PSUB001", "new")):
        file.keep(name, secret)
    assert file.read() == {"PSUB001": "new", "PSUB002": "two"}
    file.forget("PSUB001", "PNOSUCH")
    assert file.read() == {"PSUB002": "two"}


def test_of_many_that_write_at_once_none_loses_another_one_s_secret(file: SecretsFile) -> None:
    names = [f"PSUB{n:03d}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: SecretsFile(file.path).keep(n, f"secret of {n}"), names))
    assert sorted(file.read()) == names


def test_nothing_but_the_file_and_its_lock_is_left_behind(file: SecretsFile) -> None:
    file.keep("PSUB001", "one")
    file.ready()
    assert sorted(p.name for p in file.path.parent.iterdir()) == ["secrets.json", "secrets.json.lock"]


@pytest.mark.parametrize("open_to", [0o604, 0o640, 0o620, 0o606])
def test_a_file_that_others_may_touch_is_refused_and_not_made_worse(file: SecretsFile, open_to: int) -> None:
    file.keep("PSUB001", "one")
    file.path.chmod(open_to)
    for use in (file.read, file.ready, lambda: file.keep("PSUB002", "two"), lambda: file.forget("PSUB001")):
        with pytest.raises(ConfigurationError, match="chmod 600"):
            use()
    assert json.loads(file.path.read_text()) == {"PSUB001": "one"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"PSUB001": 7}', '{"PSUB001": " "}', '{"": "x"}', '"hush-hush"', "[" * 100_000, "\xff"]
)
def test_a_file_that_makes_no_sense_is_refused_without_being_quoted(file: SecretsFile, text: str) -> None:
    file.keep("PSUB001", "one")
    file.path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="is not JSON") as refused:
        file.read()
    assert "hush" not in str(refused.value)


def test_a_folder_in_its_place_and_a_place_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        SecretsFile(tmp_path).read()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        SecretsFile(tmp_path / "file" / "secrets.json").ready()


def test_a_door_sees_a_change_at_its_next_look(file: SecretsFile) -> None:
    watched = WatchedSecrets(file, {"PENV001": "from the environment"})
    assert dict(watched) == {"PENV001": "from the environment"}
    file.keep("PSUB001", "one")
    assert dict(watched) == {"PENV001": "from the environment", "PSUB001": "one"}
    file.keep("PSUB001", "two")  # as long as before, and perhaps in the same tick of the clock
    assert watched["PSUB001"] == "two"
    file.forget("PSUB001")
    assert list(watched) == ["PENV001"]
    file.path.unlink()
    assert len(watched) == 1


def test_a_signature_is_checked_against_the_file(file: SecretsFile) -> None:
    watched = WatchedSecrets(file, {})
    file.keep("PSUB001", "one")
    headers = {"x-pagerduty-signature": signature(["one"], b"{}"), "x-webhook-subscription": "PSUB001"}
    assert verify_signature(headers, b"{}", watched) == "PSUB001"


async def test_a_refused_file_adds_nothing_tells_people_once_and_comes_back(file: SecretsFile, caplog) -> None:
    watched = WatchedSecrets(file, {"": "of any"})
    file.keep("PSUB001", "one")
    assert await watched.note() is None
    file.path.chmod(0o644)
    told = [await watched.note() for _ in range(3)]
    assert dict(watched) == {"": "of any"}
    assert told[0] is not None
    assert str(file.path) not in told[0]
    refused = [r for r in caplog.records if r.message == "webhook_secrets_refused"]
    assert len(refused) == 1
    assert str(file.path) in refused[0].reason
    file.path.chmod(0o600)
    assert (await watched.note(), watched["PSUB001"]) == (None, "one")


def test_a_secret_is_in_no_log_and_in_no_representation(file: SecretsFile, caplog) -> None:
    caplog.set_level("DEBUG")
    watched = WatchedSecrets(file, {"PENV001": "hush-hush"})
    file.keep("PSUB001", "hush-hush")
    assert dict(watched).keys() == {"PENV001", "PSUB001"}
    assert "hush" not in caplog.text + repr(watched) + repr(file) + str([r.__dict__ for r in caplog.records])
