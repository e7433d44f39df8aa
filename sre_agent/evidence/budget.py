"""Ceilings on what a reasoner may spend, and the arithmetic that holds them. Pure.

The ceilings are checked *before* a call is made, with a pessimistic estimate of what it will cost, so
that a budget is never overrun by more than one wrong estimate. They hold for an incident as a whole: what its earlier
investigations spent counts too.
"""

from pydantic import BaseModel, ConfigDict, Field

MOST_CALLS = 12
BYTES_PER_TOKEN = 3.0  # English averages about 4; 3 errs on the side of stopping early


class Price(BaseModel):
    """What a model costs, in USD per million tokens. Zero (a local or unpriced model) disables the USD ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_usd_per_mtok: float = Field(default=0.0, ge=0.0)
    output_usd_per_mtok: float = Field(default=0.0, ge=0.0)

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """The price of one call, in USD."""
        return (input_tokens * self.input_usd_per_mtok + output_tokens * self.output_usd_per_mtok) / 1_000_000


class Ceilings(BaseModel):
    """The most one incident may spend on a model, over all its investigations.

    `seconds` is time spent waiting for the model and for the looks it asked for, so that an investigation ends within
    the deadline of its sources plus these; `output_tokens` is per call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(default=8, ge=1, le=MOST_CALLS)
    input_tokens: int = Field(default=120_000, gt=0)
    output_tokens: int = Field(default=1_500, gt=0)
    seconds: float = Field(default=90.0, gt=0.0)
    usd: float = Field(default=1.0, gt=0.0)


class Spend(BaseModel):
    """What was spent so far.

    `calls` are requests: `answered` of them brought a reply, `lost` of them were on their way when the process died.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    answered: int = 0
    lost: int = 0

    def __add__(self, other: "Spend") -> "Spend":
        return self.plus(other)

    def plus(self, other: "Spend") -> "Spend":
        """Both together."""
        return Spend(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=round(self.usd + other.usd, 9),
            seconds=round(self.seconds + other.seconds, 6),
            answered=self.answered + other.answered,
            lost=self.lost + other.lost,
        )

    def at_least(self, other: "Spend") -> "Spend":
        """The greater of each figure: telling the same spend twice changes nothing."""
        return Spend(
            calls=max(self.calls, other.calls),
            input_tokens=max(self.input_tokens, other.input_tokens),
            output_tokens=max(self.output_tokens, other.output_tokens),
            usd=max(self.usd, other.usd),
            seconds=max(self.seconds, other.seconds),
            answered=max(self.answered, other.answered),
            lost=max(self.lost, other.lost),
        )


def tokens_in(text: str) -> int:
    """A pessimistic estimate of the tokens in `text`, for models whose tokenizer we do not have."""
    return int(len(text.encode()) / BYTES_PER_TOKEN) + 1


def over_ceiling(ceilings: Ceilings, spent: Spend, next_input_tokens: int, price: Price) -> str | None:
    """Which ceiling one more call would break, in words; None when it fits under all of them."""
    if spent.calls + 1 > ceilings.calls:
        return f"{ceilings.calls} calls"
    if spent.input_tokens + next_input_tokens > ceilings.input_tokens:
        return f"{ceilings.input_tokens} input tokens"
    if spent.seconds >= ceilings.seconds:
        return f"{ceilings.seconds:g} s"
    if spent.usd + price.usd(next_input_tokens, ceilings.output_tokens) > ceilings.usd:
        return f"{ceilings.usd:g} USD"
    return None
