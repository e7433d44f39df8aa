"""Ceilings on what a reasoner may spend, and the arithmetic that holds them. Pure.

The ceilings are checked *before* a call is made, with a pessimistic estimate of what it will cost, so
that a budget is never overrun by more than one wrong estimate.
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
    """The most one investigation may spend on a model.

    `seconds` is time spent waiting for the model (not for sources); `output_tokens` is per call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(default=8, ge=1, le=MOST_CALLS)
    input_tokens: int = Field(default=120_000, gt=0)
    output_tokens: int = Field(default=1_500, gt=0)
    seconds: float = Field(default=90.0, gt=0.0)
    usd: float = Field(default=1.0, gt=0.0)


class Spend(BaseModel):
    """What was spent so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0

    def plus(self, other: "Spend") -> "Spend":
        """Both together."""
        return Spend(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=round(self.usd + other.usd, 9),
            seconds=round(self.seconds + other.seconds, 6),
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
