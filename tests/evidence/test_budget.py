import pytest

from sre_agent.evidence.budget import Ceilings, Price, Spend, over_ceiling, tokens_in

CEILINGS = Ceilings(calls=3, input_tokens=1000, output_tokens=100, seconds=10.0, usd=0.01)
PRICE = Price(input_usd_per_mtok=5.0, output_usd_per_mtok=10.0)


def test_a_call_that_fits_under_every_ceiling_is_let_through():
    assert over_ceiling(CEILINGS, Spend(calls=2, input_tokens=900, seconds=9.9), 100, PRICE) is None


def test_each_ceiling_stops_the_next_call_by_itself():
    assert over_ceiling(CEILINGS, Spend(calls=3), 1, PRICE) == "3 calls"
    assert over_ceiling(CEILINGS, Spend(input_tokens=950), 51, PRICE) == "1000 input tokens"
    assert over_ceiling(CEILINGS, Spend(seconds=10.0), 1, PRICE) == "10 s"
    # 0.0089 spent + 100 output tokens at 10 USD/M = 0.0099; 20 input tokens more break the cent.
    assert over_ceiling(CEILINGS, Spend(usd=0.0089), 10, PRICE) is None
    assert over_ceiling(CEILINGS, Spend(usd=0.0089), 30, PRICE) == "0.01 USD"


def test_no_configuration_can_allow_more_than_twelve_calls():
    with pytest.raises(ValueError, match="12"):
        Ceilings(calls=13)


def test_the_token_estimate_errs_upwards():
    assert tokens_in("") == 1
    assert tokens_in("word " * 100) >= 100
    assert tokens_in("ж" * 30) > tokens_in("x" * 30)
