"""The balance as a probe: where no endpoint tells of a key, its answer proves that the key works and may read.

Asked by ccxt's implicit methods, one request each: ``fetch_balance`` loads all markets first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from streams.connector.key_info.reading import part


@dataclass(frozen=True, slots=True)
class Balance:
    """A request for the balance, and what a good answer has at the end of ``path``."""

    method: str
    kind: type[list[object]] | type[dict[str, object]]
    path: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def proves(self, body: object) -> bool:
        """Whether the body is a balance, and not an error that ccxt does not know.

        An empty list is an account without funds. An empty object without a path to it may be anything.
        """
        found = part(body, *self.path)
        return isinstance(found, self.kind) and bool(found or self.path or self.kind is list)


_BYBIT: Final = Balance("privateGetV5AccountWalletBalance", list, ("result", "list"), {"accountType": "UNIFIED"})
_GATE: Final = Balance("privateSpotGetAccounts", list)
_OKX: Final = Balance("privateGetAccountBalance", list, ("data",))

#: By ccxt id; the others are asked by ``fetch_balance``.
BALANCE: Final[Mapping[str, Balance]] = {
    "binance": Balance("privateGetAccount", list, ("balances",)),
    "binancecoinm": Balance("dapiPrivateGetBalance", list),
    "binanceus": Balance("privateGetAccount", list, ("balances",)),
    "binanceusdm": Balance("fapiPrivateV2GetBalance", list),
    "bingx": Balance("spotV1PrivateGetAccountBalance", list, ("data", "balances")),
    "bitfinex": Balance("privatePostAuthRWallets", list),
    "bitget": Balance("privateSpotGetV2SpotAccountAssets", list, ("data",)),
    "bitstamp": Balance("privatePostAccountBalances", list),
    "bitvavo": Balance("privateGetBalance", list),
    "blofin": Balance("privateGetAccountBalance", dict, ("data",)),
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "bybitid": _BYBIT,
    "coinbase": Balance("v3PrivateGetBrokerageAccounts", list, ("accounts",)),
    "cryptocom": Balance("v1PrivatePostPrivateUserBalance", list, ("result", "data")),
    "deribit": Balance("privateGetGetAccountSummaries", list, ("result", "summaries")),
    "gate": _GATE,
    "gateeu": _GATE,
    "gemini": Balance("privatePostV1Balances", list),
    "htx": Balance("spotPrivateGetV1AccountAccounts", list, ("data",)),
    "kraken": Balance("privatePostBalanceEx", dict, ("result",)),
    "krakenfutures": Balance("privateGetAccounts", dict, ("accounts",)),
    "kucoin": Balance("privateGetAccounts", list, ("data",)),
    "kucoinfutures": Balance("futuresPrivateGetAccountOverview", dict, ("data",)),
    "mexc": Balance("spotPrivateGetAccount", list, ("balances",)),
    "myokx": _OKX,
    "okx": _OKX,
    "okxus": _OKX,
    "phemex": Balance("privateGetSpotWallets", list, ("data",)),
    "poloniex": Balance("privateGetAccountsBalances", list),
    "upbit": Balance("privateGetAccounts", list),
    "whitebit": Balance("v4PrivatePostTradeAccountBalance", dict),
}
