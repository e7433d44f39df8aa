"""The functions of PromQL: what they take and give. Source: https://prometheus.io/docs/prometheus/latest/querying/functions/"""

from typing import Final

from sre_agent.rules.promql.tree import Kind

_LETTERS: Final = {"v": Kind.VECTOR, "m": Kind.MATRIX, "s": Kind.SCALAR, "t": Kind.TEXT}
_TAKES: Final = {
    "v": (
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count histogram_stddev "
        "histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan tanh timestamp"
    ),
    "v?": "day_of_month day_of_week day_of_year days_in_month hour minute month year",
    "m": (
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate last_over_time "
        "mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time "
        "ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time"
    ),
    "": "pi time start end range step",
    "s": "vector",
    "vss": "clamp",
    "vs": "clamp_max clamp_min",
    "vs?": "round",
    "mss": "double_exponential_smoothing holt_winters",
    "ms": "predict_linear",
    "sm": "quantile_over_time",
    "ssv": "histogram_fraction",
    "sv": "histogram_quantile",
    "vts*": "histogram_quantiles",
    "vv?": "info",
    "vtt*": "label_join",
    "vtttt": "label_replace",
    "vt*": "sort_by_label sort_by_label_desc",
}
_NUMBERS: Final = frozenset({"scalar", "time", "pi", "start", "end", "range", "step"})

TAKES: Final[dict[str, str]] = {name: takes for takes, names in _TAKES.items() for name in names.split()}
"""Function -> its arguments: v instant vector, m range vector, s number, t text; ? the one before may be left out, * may come
any number of times."""

AGGREGATIONS: Final = {
    **dict.fromkeys(("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"), ""),
    **dict.fromkeys(("topk", "bottomk", "quantile", "limitk", "limit_ratio"), "s"),
    "count_values": "t",
}
"""Aggregation -> its parameter before the vector, if it takes one."""


def gives(function: str) -> Kind:
    """What a function yields."""
    return Kind.SCALAR if function in _NUMBERS else Kind.VECTOR


def complaint(function: str, given: tuple[Kind, ...]) -> str:
    """What is wrong with the arguments; "" when nothing is, or the function is not known."""
    takes = TAKES.get(function)
    if takes is None:
        return ""
    wanted = [_LETTERS[letter] for letter in takes if letter in _LETTERS]
    least = len(wanted) - takes.count("?") - takes.count("*")
    most = len(given) if "*" in takes else len(wanted)
    if not least <= len(given) <= most:
        return f"{function} takes {least if least == most else f'{least} to {most}'} arguments, not {len(given)}"
    wanted += wanted[-1:] * (len(given) - len(wanted))
    for n, (want, have) in enumerate(zip(wanted, given, strict=False), 1):
        if want is not have:
            return f"{function} takes {want} as argument {n}, not {have}"
    return ""
