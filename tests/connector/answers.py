"""Answers to the question about a key, as the exchanges document them (sources: reference/key-statuses.md, section 2a).

Keys in them are made up, and so are the secrets: they must never come out again.
"""

from datetime import UTC, datetime
from typing import Any, Final

#: When every one of these answers came.
AT: Final = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
OWN_KEY: Final = "own-key-0123456789abcdef"
OTHER_KEY: Final = "other-key-fedcba9876543210"

BINANCE: Final = {
    "ipRestrict": False,
    "createTime": 1698645219000,
    "enableInternalTransfer": False,
    "enableFutures": False,
    "enablePortfolioMarginTrading": True,
    "enableVanillaOptions": False,
    "permitsUniversalTransfer": False,
    "enableReading": True,
    "enableSpotAndMarginTrading": False,
    "enableWithdrawals": False,
    "enableMargin": False,
}

_BYBIT_KEY: Final = {
    "id": "13770661",
    "note": "a note of the owner",
    "apiKey": OWN_KEY,
    "readOnly": 0,
    "secret": "",
    "permissions": {
        "ContractTrade": ["Order", "Position"],
        "Spot": ["SpotTrade"],
        "Wallet": ["AccountTransfer", "SubMemberTransferList"],
        "Options": ["OptionsTrade"],
        "Derivatives": ["DerivativesTrade"],
        "Exchange": ["ExchangeHistory"],
        "Earn": [],
    },
    "type": 1,
    "uta": 1,
    "userID": 24617703,
    "isMaster": True,
    "parentUid": "0",
    "kycLevel": "LEVEL_DEFAULT",
    "kycRegion": "",
}


def bybit(**fields: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "", "result": _BYBIT_KEY | fields, "retExtInfo": {}, "time": 1697525990798}


BYBIT_UNBOUND: Final = bybit(
    ips=["*"], deadlineDay=66, expiredAt="2023-12-22T07:20:25Z", createdAt="2022-10-16T02:24:40Z"
)
BYBIT_BOUND: Final = bybit(
    ips=["18.181.170.164"], deadlineDay=-2, expiredAt="1970-01-01T00:00:00Z", createdAt="2025-10-13T03:20:45Z"
)

OKX: Final = {
    "code": "0",
    "data": [
        {
            "acctLv": "3",
            "uid": "44705892343619584",
            "label": "V5 Test",
            "kycLv": "3",
            "ip": "120.255.24.182,49.245.196.13",
            "perm": "read_only,withdraw,trade",
            "type": "0",
        }
    ],
    "msg": "",
}

KUCOIN: Final = {
    "code": "200000",
    "data": {
        "remark": "account1",
        "apiKey": OWN_KEY,
        "apiVersion": 3,
        "permission": "General,Futures,Spot,Earn,InnerTransfer,Transfer,Margin",
        "ipWhitelist": "203.**.154,103.**.34",
        "createdAt": 1728443843000,
        "uid": 165111215,
        "isMaster": True,
    },
}

KRAKEN: Final = {
    "error": [],
    "result": {
        "api_key_name": "TestKey",
        "api_key": OWN_KEY,
        "nonce": "123",
        "permissions": ["query-funds", "withdraw-funds", "query-open-trades", "modify-trades", "close-trades"],
        "iban": "AA88 N84G WOAK NMOI",
        "valid_until": "0",
        "query_from": "0",
        "created_time": "1522132642",
        "modified_time": "1618230358",
        "ip_allowlist": [""],
        "last_used": "1774350056",
    },
}

COINBASE: Final = {
    "can_view": True,
    "can_trade": True,
    "can_transfer": True,
    "portfolio_uuid": "string",
    "portfolio_type": "DEFAULT",
}

BITGET_CLASSIC: Final = {
    "code": "00000",
    "msg": "success",
    "requestTime": 1695808949356,
    "data": {
        "userId": "8174930",
        "inviterId": "8174931",
        "ips": "127.0.0.1",
        "authorities": ["trade", "readonly"],
        "parentId": 1,
        "traderType": "trader",
        "channelCode": "XXX",
        "channel": "YYY",
        "regisTime": "1246566789345",
    },
}

BITGET_UNIFIED: Final = {
    "code": "00000",
    "msg": "success",
    "requestTime": 1744617600000,
    "data": {
        "userId": "123456789",
        "inviterId": "987654321",
        "parentId": "",
        "channelCode": "6258",
        "channel": "official",
        "ips": "192.168.1.1,192.168.1.2",
        "permType": "read-and-write",
        "permissions": ["uta_mgt", "uta_trade", "withdraw", "copy_futures_position", "copy_futures_order"],
        "regisTime": "1704067200000",
    },
}


def gate_key(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "state": 1,
        "mode": 1,
        "name": "a name of the owner",
        "user_id": 100000,
        "perms": [{"name": "wallet", "read_only": True}, {"name": "spot", "read_only": False}],
        "ip_whitelist": ["203.0.113.7"],
        "key": key,
        "created_at": 1663000000,
        "updated_at": 1663000000,
        "last_access": 1663000000,
    } | fields


GATE: Final = [
    gate_key(OTHER_KEY, state=3, perms=[{"name": "wallet", "read_only": False}], ip_whitelist=[]),
    gate_key(OWN_KEY),
]

GATE_DETAIL: Final = {
    "user_id": 100000,
    "ip_whitelist": ["203.0.113.7"],
    "currency_pairs": [],
    "key": {"mode": 1},
    "tier": 2,
    "copy_trading_role": 0,
}


def htx_key(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "accessKey": key,
        "status": "normal",
        "note": "host of the owner",
        "permission": "trade,readOnly",
        "ipAddresses": "192.168.0.1,192.168.1.1",
        "validDays": -1,
        "createTime": 1615192704000,
        "updateTime": 1623030338000,
    } | fields


def htx(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": list(keys), "ok": True}


HTX: Final = htx(htx_key(OTHER_KEY, permission="readOnly,trade,withdraw", validDays=7), htx_key(OWN_KEY))

GEMINI: Final = {"isAuditor": False, "isFundManager": False, "isTrader": True, "counterparty_id": "EMONNYXJ"}

BITFINEX: Final = [
    ["account", 1, 1],
    ["history", 1, 1],
    ["orders", 1, 1],
    ["positions", 0, 0],
    ["funding", 1, 1],
    ["settings", 0, 0],
    ["wallets", 1, 1],
    ["withdraw", 0, 1],
    ["ui_withdraw", 0, 0],
    ["bfxpay", 0, 0],
]

MEXC: Final = {
    "note": "a note of the owner",
    "accessKey": OWN_KEY,
    "createTime": "2026-09-14T18:53:36.000+00:00",
    "permissions": "CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ,SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ",
    "remainingValidity": 82,
    "ipWhiteList": "",
    "status": "VALID",
}

BINGX_NUMBERS: Final = {
    "code": 0,
    "timestamp": 1702351994615,
    "data": {
        "apiKey": OWN_KEY,
        "note": "a note of the owner",
        "permissions": [1, 2, 3, 4, 7],
        "ipAddresses": [""],
    },
}

BINGX_FLAGS: Final = {
    "ipRestrict": True,
    "createTime": 1702289687211,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableFutures": True,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
}

DERIBIT: Final = {
    "jsonrpc": "2.0",
    "id": 2553,
    "result": [
        {
            "timestamp": 1560236001108,
            "max_scope": "account:read block_trade:read trade:read_write wallet:read",
            "id": 1,
            "enabled": True,
            "default": False,
            "client_secret": "not-a-real-client-secret",
            "client_id": OWN_KEY,
            "name": "a name of the owner",
            "enabled_features": [],
            "ip_whitelist": [],
        },
        {
            "timestamp": 1560236287708,
            "max_scope": "account:read_write block_trade:read_write trade:read_write wallet:read_write",
            "id": 2,
            "enabled": False,
            "default": True,
            "client_secret": "not-a-real-client-secret-either",
            "client_id": OTHER_KEY,
            "name": "",
            "enabled_features": [],
        },
    ],
}

UPBIT: Final = [
    {"access_key": OTHER_KEY, "expire_at": "2026-12-01T09:00:00+09:00"},
    {"access_key": OWN_KEY, "expire_at": "2027-03-09T12:39:39+09:00"},
]

BLOFIN: Final = {
    "code": "0",
    "msg": "success",
    "data": {
        "uid": "4470589234",
        "apiName": "read_test",
        "apiKey": OWN_KEY,
        "readOnly": 0,
        "ips": ["192.0.2.1", "192.0.2.2"],
        "type": 1,
        "expireTime": "1797026383085",
        "createTime": "1597026383085",
        "referralCode": "blofin",
        "parentUid": "4470589235",
    },
}

#: (exchange, number of the question, body)
DOCUMENTED: Final[tuple[tuple[str, int, Any], ...]] = (
    ("binance", 0, BINANCE),
    ("bybit", 0, BYBIT_UNBOUND),
    ("bybit", 0, BYBIT_BOUND),
    ("okx", 0, OKX),
    ("kucoin", 0, KUCOIN),
    ("kraken", 0, KRAKEN),
    ("coinbase", 0, COINBASE),
    ("bitget", 0, BITGET_CLASSIC),
    ("bitget", 1, BITGET_UNIFIED),
    ("gate", 0, GATE),
    ("gate", 1, GATE_DETAIL),
    ("htx", 0, HTX),
    ("gemini", 0, GEMINI),
    ("bitfinex", 0, BITFINEX),
    ("mexc", 0, MEXC),
    ("bingx", 0, BINGX_NUMBERS),
    ("bingx", 1, BINGX_FLAGS),
    ("deribit", 0, DERIBIT),
    ("upbit", 0, UPBIT),
    ("blofin", 0, BLOFIN),
)
