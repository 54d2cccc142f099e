"""Every number and list that an operator may choose, in one frozen place."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

#: Binance's spot client and its two futures clients, as ccxt names them.
BINANCE_IDS: Final = frozenset({"binance", "binanceusdm", "binancecoinm"})

Seconds = Annotated[float, Field(ge=0, le=31_622_400)]
Results = Annotated[int, Field(ge=1, le=100)]
Keys = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
ReminderDays = Annotated[frozenset[Annotated[int, Field(ge=0, le=366)]], Field(max_length=16)]

#: A ccxt exchange id; settings that name another could never apply.
Exchange = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]


class Policy(BaseModel):
    """How doubtful answers are confirmed, and what time does to a key.

    Defaults are those of the reference: one failed check is no news (Gatus and
    Uptime Kuma users ask for two or three in a row), recovery is told at once.
    ``exchange`` overrides any number for one exchange; ``of`` gives what holds there.
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
    reminder_days: ReminderDays = Field(
        frozenset({14, 7, 3, 1, 0}), description="whole days left at which the owner is reminded"
    )
    # A connector that checks daily has looked at the key by then, and a success proves the date wrong.
    computed_expiry_grace_s: Seconds = Field(
        86_400, description="seconds after a computed end in which a check may prove it wrong"
    )
    stale_intervals: Annotated[float, Field(ge=1, le=1_000)] = Field(
        3, description="check intervals without a result until a key is stale"
    )
    check_interval_s: Seconds = Field(
        0, description="seconds between checks where results do not say it; 0: such a key is never stale"
    )
    flapping_changes: Results = Field(5, description="changes within the time below; one more, and the key is flapping")
    flapping_within_s: Seconds = Field(3_600, description="seconds in which those changes are counted")
    flapping_settle_s: Seconds = Field(1_800, description="seconds without a change until a flapping key has settled")
    incident_keys: Keys = Field(20, description="keys in trouble at once that make an incident of their exchange")
    incident_few_keys: Keys = Field(5, description="with fewer keys than that: all of them, if there are so many")
    incident_share: Share = Field(0.5, description="share of the keys checked lately that must be in trouble")
    incident_calm_share: Share = Field(0.2, description="share of keys in trouble below which an incident calms down")
    incident_calm_s: Seconds = Field(600, description="seconds below that share until the incident is over")
    future_tolerance_s: Seconds = Field(300, description="seconds that a connector's clock may be ahead of the log")
    inactive_futures_exchanges: frozenset[Exchange] = Field(
        BINANCE_IDS, description="exchanges where missing futures are 'inactive futures'"
    )
    exchange: Mapping[Exchange, Mapping[str, Any]] = Field(
        default_factory=dict, description="a table per exchange that overrides any of the above there"
    )

    @model_validator(mode="after")
    def _ambiguous_answers_can_confirm_each_other(self) -> Self:
        if self.ambiguous_within_s < self.ambiguous_apart_s:
            raise ValueError("ambiguous_within_s is at least ambiguous_apart_s, or no ambiguous answer ever counts")
        return self

    @model_validator(mode="after")
    def _overrides_are_policies(self) -> Self:
        _ = self._by_exchange
        return self

    @cached_property
    def _by_exchange(self) -> Mapping[str, "Policy"]:
        shared = self.model_dump(exclude={"exchange"})
        return {name: _overridden(shared, name, numbers) for name, numbers in self.exchange.items()}

    def of(self, exchange: str) -> "Policy":
        """What holds at one exchange."""
        return self._by_exchange.get(exchange, self)


def _overridden(shared: Mapping[str, Any], exchange: str, numbers: Mapping[str, Any]) -> Policy:
    if "exchange" in numbers:
        raise ValueError(f"exchange.{exchange} holds numbers, no further exchanges")
    try:
        return Policy.model_validate({**shared, **numbers})
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(f"exchange.{exchange}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
