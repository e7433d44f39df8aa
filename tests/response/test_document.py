"""What PostgreSQL cannot hold is replaced on its way in, and nothing else is changed."""

import json
import math

import pytest

from sre_agent.response.document import json_text

STORED = {
    "a NUL in a value": ({"log": "a\x00b"}, {"log": "a\ufffdb"}),
    "a NUL in a key": ({"a\x00": 1}, {"a\ufffd": 1}),
    "half of a surrogate pair": (["x\ud83d", "\udc00"], ["x\ufffd", "\ufffd"]),
    "half of a pair as a key": ({"\ud800": [1]}, {"\ufffd": [1]}),
    "a whole pair": (["\U0001f600"], ["\U0001f600"]),
    "no number": ({"level": math.nan, "most": [math.inf, -math.inf]}, {"level": "NaN", "most": ["Infinity", "-Infinity"]}),
    "no number beside a NUL": ([math.nan, "\x00"], ["NaN", "\ufffd"]),
    "text that only looks like an escape": ([r"\u0000 \ud800"], [r"\u0000 \ud800"]),
    "a tuple": ((1, (2.5, None, True)), [1, [2.5, None, True]]),
    "long and small numbers": ([10**30, 1e-300, 0.1, -0.0], [10**30, 1e-300, 0.1, -0.0]),
}


@pytest.mark.parametrize("case", STORED)
def test_a_document_reads_back_as_it_was_but_for_what_cannot_be_stored(case):
    given, stored = STORED[case]
    written = json_text(given)
    assert json.loads(written) == stored
    assert not set(written) & {"\x00", *map(chr, range(0xD800, 0xE000))}
    assert "NaN" not in written.replace('"NaN"', "")
