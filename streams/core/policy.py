"""Every number and list that an operator may choose, in one frozen place."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Binance's spot client and its two futures clients, as ccxt names them.
BINANCE_IDS = frozenset({"binance", "binanceusdm", "binancecoinm"})

Seconds = Annotated[float, Field(ge=0, le=31_622_400)]
Results = Annotated[int, Field(ge=1, le=100)]


class Policy(BaseModel):
    """How doubtful answers are confirmed, and when a key counts as expiring.

    Defaults are those of the reference: one failed check is no news (Gatus and
    Uptime Kuma users ask for two or three in a row), recovery is told at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ambiguous_results: Results = Field(2, description="ambiguous answers before they count")
    ambiguous_apart_s: Seconds = Field(60, description="seconds from the first to the last of them")
    # A day: long enough for a connector that checks a refused key once an hour and misses some, short enough
    # that two mishaps weeks apart are two mishaps. Who checks more rarely than daily must raise it.
    ambiguous_within_s: Seconds = Field(86_400, description="seconds within which all of them must come")
    inconclusive_results: Results = Field(3, description="failed checks before a temporary issue")
    inconclusive_after_s: Seconds = Field(
        300, description="seconds since the last clear answer before a temporary issue"
    )
    replaced_key_grace_s: Seconds = Field(
        600, description="seconds in which a replaced key may not be found yet (CoinEx: 10 min)"
    )
    expiring_window_days: Annotated[float, Field(gt=0, le=366)] = Field(
        30, description="days before its end in which a key counts as expiring"
    )
    future_tolerance_s: Seconds = Field(300, description="seconds that a connector's clock may be ahead of the log")
    inactive_futures_exchanges: frozenset[str] = Field(
        BINANCE_IDS, description="exchanges where missing futures are 'inactive futures'"
    )

    @model_validator(mode="after")
    def _ambiguous_answers_can_confirm_each_other(self) -> Self:
        if self.ambiguous_within_s < self.ambiguous_apart_s:
            raise ValueError("ambiguous_within_s is at least ambiguous_apart_s, or no ambiguous answer ever counts")
        return self

    @model_validator(mode="after")
    def _names_are_lower_case(self) -> Self:
        if any(name != name.lower() for name in self.inactive_futures_exchanges):
            raise ValueError("inactive_futures_exchanges takes ccxt ids, in lower case")
        return self
