"""Times as people write them."""

from datetime import UTC, datetime

import pytest

from sre_agent.replay.history.span import BadSpan, span_of

NOW = datetime(2026, 11, 28, 8, 0, 0, 250, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T03:11:09Z", datetime(2026, 11, 20, 3, 11, 9, tzinfo=UTC)),
        ("2026-11-20T03:11:09+02:00", datetime(2026, 11, 20, 1, 11, 9, tzinfo=UTC)),
        ("2026-11-20 03:11:09-06:00", datetime(2026, 11, 20, 9, 11, 9, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 21, 8, tzinfo=UTC)),
        ("36h", datetime(2026, 11, 26, 20, tzinfo=UTC)),
        ("90m", datetime(2026, 11, 28, 6, 30, tzinfo=UTC)),
        (" 2w ", datetime(2026, 11, 14, 8, tzinfo=UTC)),
    ],
)
def test_dates_offsets_and_times_ago_are_understood(written, meant):
    span = span_of(written, None, NOW, ("PSVC002", "PSVC001", "PSVC002"))
    assert (span.since, span.until, span.services) == (meant, NOW, ("PSVC001", "PSVC002"))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-29", None, "--since '2026-11-29' lies in the future"),
        ("7d", "2026-11-29", "--until '2026-11-29' lies in the future"),
        ("1d", "2d", "--since '1d' is not before --until '2d'"),
        ("2026-11-20", "2026-11-20", "is not before"),
        ("2026-11-20T03:11:09", None, "has no offset"),
        ("yesterday", None, "is no time: write a date"),
        ("2026-02-30", None, "is no time"),
        ("", None, "is no time"),
        ("99999w", None, "is before 2009"),
        ("-7d", None, "is no time"),
    ],
)
def test_what_makes_no_sense_is_said_with_what_would(since, until, said):
    with pytest.raises(BadSpan, match=r"^--") as refused:
        span_of(since, until, NOW)
    assert said in str(refused.value)


@pytest.mark.parametrize("identity", ["voice-platform", "../users", "psvc001", "P", ""])
def test_an_id_that_is_none_is_refused(identity):
    with pytest.raises(BadSpan, match="is no id of PagerDuty"):
        span_of("7d", None, NOW, (identity,))
