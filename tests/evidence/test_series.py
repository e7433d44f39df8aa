import math

from sre_agent.evidence.series import Series


def test_nan_and_infinities_survive_inside_another_document_and_never_become_null():
    made_up = (math.nan, math.inf, -math.inf, 1.5)
    series = Series(labels={"__name__": "ratio"}, samples=tuple((float(t), v) for t, v in enumerate(made_up)))
    dumped = series.model_dump(mode="json")
    assert dumped["samples"] == [[0.0, "NaN"], [1.0, "inf"], [2.0, "-inf"], [3.0, 1.5]]
    back = Series.model_validate(dumped)
    assert [math.isnan(v) for _, v in back.samples] == [True, False, False, False]
    assert back.samples[1:] == series.samples[1:]
    assert back.finite() == ((3.0, 1.5),)
    assert Series.model_validate_json(series.model_dump_json()).finite() == ((3.0, 1.5),)
