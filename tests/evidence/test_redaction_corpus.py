"""What is found among planted secrets and left alone among ordinary tokens; the numbers stand in docs/redaction.md."""

import pytest

from sre_agent.evidence.redact import redact, redact_json
from tests.evidence.corpus.families import FAMILIES
from tests.evidence.corpus.measure import cleaned, leaks, plantings, precision, recall
from tests.evidence.corpus.ordinary import ordinary_lines

SEED = 20261128
EACH = 45
WORST_FAMILY = 0.90


@pytest.fixture(scope="module")
def planted():
    return plantings(SEED, EACH)


def test_the_corpus_is_as_big_and_as_varied_as_it_says(planted):
    assert len(planted) >= 2_000
    assert len(FAMILIES) >= 40
    assert len({p.carrier for p in planted}) >= 20
    assert all(
        leaks(p.secret, p.carried if isinstance(p.carried, str) else str(p.carried)) for p in planted if p.carrier == "plain line"
    )


def test_99_of_100_planted_secrets_are_removed_entirely(planted):
    found = recall(planted)
    assert found.share_right() >= 0.99, found.examples
    poor = {name: n for name, n in found.wrong.items() if n > (1 - WORST_FAMILY) * found.total[name]}
    assert poor == {}


def test_99_of_100_secrets_of_families_written_after_the_rules_are_removed(planted):
    assert recall([p for p in planted if p.family.held_out]).share_right() >= 0.99


def test_at_most_one_of_100_ordinary_tokens_is_touched():
    found = precision(SEED, 600)
    assert found.total.total() >= 20_000
    assert found.share_right() >= 0.99, found.examples[:20]
    assert {kind for kind, n in found.wrong.items() if n > 0.05 * found.total[kind]} == set()


def test_a_measure_that_does_nothing_would_be_noticed(planted):
    assert recall(planted, lambda carried: carried if isinstance(carried, str) else str(carried)).share_right() < 0.1
    assert precision(SEED, 2, lambda line: line + "!").share_right() == 0.0


def test_redacting_the_corpus_twice_changes_nothing(planted):
    for p in planted[::3]:
        once = redact_json(p.carried)
        assert redact_json(once) == once, p.carrier
    for _, line in ordinary_lines(SEED, 20):
        assert redact(redact(line)) == redact(line)


def test_what_is_left_of_a_secret_is_seen_by_the_measure():
    assert leaks("abcdefgh", "xx cdefgh")
    assert not leaks("abcdefgh", "xx defgh")
    assert leaks("abc", "xabc")
    assert "hunter2" not in cleaned({"password": "hunter2"})
