"""How each exchange is asked about a key, and how its answer is read: one file for each exchange.

A new exchange is a file with a pure ``read`` and an ``INFO``, and a line in ``KEY_INFO``. ccxt is not imported here.
"""

from collections.abc import Mapping
from typing import Final

from streams.connector.key_info import (
    binance,
    bingx,
    bitfinex,
    bitget,
    blofin,
    bybit,
    coinbase,
    deribit,
    gate,
    gemini,
    htx,
    kraken,
    kucoin,
    mexc,
    okx,
    upbit,
)
from streams.connector.key_info.report import KeyInfo

#: By ccxt id. Ids that are missing have no such endpoint, or ccxt has no route to it: their balance is asked for.
KEY_INFO: Final[Mapping[str, KeyInfo]] = {
    "binance": binance.INFO,
    "binancecoinm": binance.INFO,
    "binanceusdm": binance.INFO,
    "bingx": bingx.INFO,
    "bitfinex": bitfinex.INFO,
    "bitget": bitget.INFO,
    "blofin": blofin.INFO,
    "bybit": bybit.INFO,
    "bybiteu": bybit.INFO,
    "bybitid": bybit.INFO,
    "coinbase": coinbase.INFO,
    "deribit": deribit.INFO,
    "gate": gate.INFO,
    "gateeu": gate.INFO,
    "gemini": gemini.INFO,
    "htx": htx.INFO,
    "kraken": kraken.INFO,
    "kucoin": kucoin.INFO,
    "kucoinfutures": kucoin.INFO,
    "mexc": mexc.INFO,
    "myokx": okx.INFO,
    "okx": okx.INFO,
    "okxus": okx.INFO,
    "upbit": upbit.INFO,
}
