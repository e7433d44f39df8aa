import json
import os
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent.replay.replayed import Replayed
from sre_agent.settings.load import fixed
from sre_agent.wiring.journal import Journal, run_name
from sre_agent.wiring.origins import Cases, from_paths, missing
from sre_agent.wiring.purse import Purse
from sre_agent.wiring.replaying import NOTHING, Crew, Found, Setup, replayed, setup_of

INCIDENTS = Path(__file__).parent.parent / "incidents"
SLUGS = ("healthy", "redis-slow-primary", "prompt-regression", "tool-429", "mixed", "watchdog", "untagged", "provider-429")


@pytest.fixture(scope="module")
def setup() -> Setup:
    return setup_of(fixed({"SRE_AGENT_REASONER": "rules"}))


def found(*slugs: str) -> tuple[Found, ...]:
    return tuple(Found(place=slug, folder=INCIDENTS / slug) for slug in slugs)


def lines(done: Iterator[tuple[Replayed, ...]]) -> list[str]:
    return [one.line(timings=False) for (one,) in done]


def test_workers_give_the_same_bytes_in_the_same_order_as_one_process(setup: Setup):
    cases = found(*SLUGS, *SLUGS, *SLUGS)
    alone = lines(Crew((setup,), 1).run(cases))
    assert len(alone) == 24
    assert lines(Crew((setup,), 3).run(cases)) == alone


def test_a_broken_case_fails_by_itself_and_the_others_are_replayed(setup: Setup, tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "case.json").write_text("{")
    cases = (
        *found("healthy"),
        Found("broken", tmp_path / "broken"),
        Found("gone.zip", error="gone.zip: no archive"),
        *found("mixed"),
    )
    done = [one for (one,) in Crew((setup,), 2).run(cases)]
    assert [d.case for d in done] == ["healthy", "broken", "gone.zip", "mixed"]
    assert [bool(d.error) for d in done] == [False, True, True, False]
    assert "broken/case.json, line 1" in done[1].error


def test_every_setup_judges_every_case(setup: Setup):
    pairs = list(Crew((setup, setup), 2).run(found("healthy", "mixed")))
    assert [[d.case for d in pair] for pair in pairs] == [["healthy", "healthy"], ["mixed", "mixed"]]


def deadly(case: Found, setups: tuple[Setup, ...], usd: float | None) -> tuple[Replayed, ...]:
    if case.place == "tool-429":
        os.kill(os.getpid(), signal.SIGKILL)
    return replayed(case, setups, usd)


def test_a_case_that_kills_its_worker_costs_no_other_case(setup: Setup):
    done = [one for (one,) in Crew((setup,), 2, replay=deadly).run(found(*SLUGS))]
    assert [d.case for d in done] == list(SLUGS)
    assert [d.case for d in done if d.error] == ["tool-429"]
    assert "died" in done[3].error


@pytest.fixture(scope="module")
def healthy(setup: Setup) -> Replayed:
    return replayed(found("healthy")[0], (setup,))[0]


def costing(told: Replayed, usd: float) -> Replayed:
    assert told.result is not None
    usage = told.result.model.model_validate({**told.result.model.model_dump(), "usd": usd})
    return told.model_copy(update={"result": told.result.model_copy(update={"model": usage})})


def test_what_is_promised_and_what_was_spent_never_exceed_the_purse(setup: Setup, healthy: Replayed):
    asked: list[float] = []

    def spending(case: Found, setups: tuple[Setup, ...], usd: float | None) -> tuple[Replayed, ...]:
        assert usd is not None
        asked.append(usd)
        return (costing(healthy, usd),)

    purse = Purse(usd=1.0, per_case=0.4)
    list(Crew((setup,), 1, purse, spending).run(found(*SLUGS[:4])))
    assert asked == pytest.approx([0.4, 0.4, 0.2, 0.0])
    assert (purse.spent, purse.promised) == pytest.approx((1.0, 0.0))


def cheap(case: Found, setups: tuple[Setup, ...], usd: float | None) -> tuple[Replayed, ...]:
    (done,) = replayed(case, setups)
    return (costing(done, min(usd or 0.0, 0.05)),)


def test_cases_wait_for_money_that_may_come_back_instead_of_going_without(setup: Setup):
    purse = Purse(usd=0.42, per_case=0.4)
    done = [one for (one,) in Crew((setup,), 2, purse, cheap).run(found(*SLUGS))]
    assert [d.result.model.usd for d in done if d.result] == pytest.approx([0.05] * 8)
    assert (purse.spent, purse.promised) == pytest.approx((0.4, 0.0))


def test_an_empty_purse_lets_rules_think(setup: Setup):
    priced = {
        "SRE_AGENT_REASONER": "openai",
        "OPENAI_MODEL": "m",
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    }
    prices = {"SRE_AGENT_MODEL_USD_PER_M_INPUT": "1", "SRE_AGENT_MODEL_USD_PER_M_OUTPUT": "1"}
    paid = setup_of(fixed(priced | prices))
    ((done,),) = Crew((paid,), 1, Purse(usd=0.0, per_case=1.0)).run(found("healthy"))
    assert done.result is not None
    assert (done.result.model.fallback, done.result.model.usd, done.result.model.calls) == ("over-budget", 0.0, 0)
    assert 0 < NOTHING < 1e-6


def test_cases_come_from_folders_archives_and_patterns_in_the_order_given(tmp_path: Path):
    with tarfile.open(tmp_path / "some.tgz", "w:gz") as archive:
        for slug in ("tool-429", "mixed"):
            archive.add(INCIDENTS / slug, f"deep/down/{slug}")
    (tmp_path / "bad.zip").write_bytes(b"no")
    given = (str(INCIDENTS / "healthy"), str(tmp_path / "some.tgz"), str(INCIDENTS / "provider-*"), str(tmp_path / "bad.zip"))
    with from_paths(given) as cases:
        told = list(cases.each)
        assert cases.total == len(told) == 6
        assert [t.folder.name for t in told if t.folder] == ["healthy", "mixed", "tool-429", "provider-429", "provider-outage"]
        assert told[1].place.endswith("some.tgz:deep/down/mixed")
        assert "cannot be unpacked" in told[-1].error
        unpacked = told[1].folder
    assert unpacked is not None
    assert not unpacked.exists()


def test_a_path_that_names_nothing_is_told(tmp_path: Path):
    assert missing((str(INCIDENTS), str(tmp_path / "no*"), str(tmp_path / "nothing"))) == (
        str(tmp_path / "no*"),
        str(tmp_path / "nothing"),
    )


def test_a_folder_without_cases_and_an_archive_without_cases_fail_with_a_reason(setup: Setup, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "none.tar", "w") as archive:
        archive.add(
            INCIDENTS / "healthy" / "metrics.jsonl" if (INCIDENTS / "healthy" / "metrics.jsonl").exists() else __file__, "x"
        )
    with from_paths((str(tmp_path / "empty"), str(tmp_path / "none.tar"))) as cases:
        errors = [d.error for (d,) in Crew((setup,), 1).run(cases.each)]
    assert errors == ["empty/case.json: missing; every case needs one", "none.tar: holds no case.json"]


def test_a_run_that_was_killed_goes_on_where_it_was_and_ends_with_the_same_bytes(setup: Setup, tmp_path: Path):
    cases = found(*SLUGS)
    whole = lines(Crew((setup,), 1).run(cases))
    run = run_name((setup,), ("these",))
    first = Journal(tmp_path / "j.jsonl", run)
    part = first.through(Crew((setup,), 1), cases, resume=False)
    for _ in range(3):
        next(part)
    part.close()
    with (tmp_path / "j.jsonl").open("a") as torn:
        torn.write('{"place": "tool-4')

    done_again: list[str] = []

    class Counting(Crew):
        def run(self, cases):
            for case in cases:
                done_again.append(case.place)
                yield from super().run((case,))

    second = Journal(tmp_path / "j.jsonl", run)
    assert lines(second.through(Counting((setup,), 1), cases, resume=True)) == whole
    assert done_again == list(SLUGS[3:])
    second.finished()
    assert not (tmp_path / "j.jsonl").exists()


def test_a_case_that_was_changed_meanwhile_is_replayed_again_with_all_after_it(setup: Setup, tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (INCIDENTS / "healthy" / "case.json").read_text()
    (folder / "case.json").write_text(text)
    cases = (*found("mixed"), Found("mine", folder), *found("tool-429"))
    run = run_name((setup,), ())
    list(Journal(tmp_path / "j", run).through(Crew((setup,), 1), cases, resume=False))
    (folder / "case.json").write_text(text.replace('"id": "', '"id": "other-', 1))
    again = [d.case for (d,) in Journal(tmp_path / "j", run).through(Crew((setup,), 1), cases, resume=True)]
    assert again[0] == "mixed"
    assert again[1].startswith("other-")
    assert len(again) == 3


def test_another_run_keeps_nothing_of_this_one(setup: Setup, tmp_path: Path):
    list(Journal(tmp_path / "j", run_name((setup,), ("a",))).through(Crew((setup,), 1), found("mixed"), resume=False))
    other = run_name((setup,), ("b",))

    class Fresh(Crew):
        ran = 0

        def run(self, cases):
            for case in cases:
                Fresh.ran += 1
                yield from super().run((case,))

    list(Journal(tmp_path / "j", other).through(Fresh((setup,), 1), found("mixed"), resume=True))
    assert Fresh.ran == 1


def test_a_journal_that_cannot_be_written_stops_nothing_and_says_so(setup: Setup, tmp_path: Path):
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "j", run_name((setup,), ()))
    assert len(list(journal.through(Crew((setup,), 1), found("mixed", "healthy"), resume=True))) == 2
    assert "will begin anew" in journal.trouble
    assert journal.parting == journal.trouble
    journal.finished()


def test_what_was_kept_is_counted_as_spent(setup: Setup, healthy: Replayed):
    purse = Purse(usd=1.0, per_case=0.4)
    Crew((setup,), 1, purse).charge((costing(healthy, 0.3),))
    assert (purse.spent, purse.promised) == (0.3, 0.0)


def test_cases_without_a_known_number_can_be_told():
    assert Cases(iter(())).total is None


def test_an_interrupted_run_is_forgotten_after_a_week(setup: Setup, tmp_path: Path):
    for name, age in (("old.jsonl", 8), ("new.jsonl", 6)):
        (tmp_path / name).write_text("")
        then = time.time() - age * 86_400
        os.utime(tmp_path / name, (then, then))
    journal = Journal(tmp_path / "mine.jsonl", run_name((setup,), ()))
    list(journal.through(Crew((setup,), 1), found("mixed"), resume=False))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.jsonl", "new.jsonl"]


def test_a_case_from_the_future_is_replayed_with_a_warning(setup: Setup, tmp_path: Path):
    head = json.loads((INCIDENTS / "healthy" / "case.json").read_text())
    (tmp_path / "case.json").write_text(json.dumps({**head, "at": "2199-01-01T00:00:00Z"}))
    (done,) = replayed(Found("later", tmp_path), (setup,))
    assert done.result is not None
    assert any("is in the future" in w for w in done.warnings)
    assert not any("future" in w for w in replayed(found("healthy")[0], (setup,))[0].warnings)
