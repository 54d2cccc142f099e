"""``check_key`` through ccxt's own code, against a server that answers as the exchanges document it."""

import asyncio
import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.check_result import CheckResult, Permissions
from schemas.vocabulary import CheckTrigger, Environment, ErrorType, Outcome, Permission
from streams.catalogue import load_rules
from streams.connector.balance import BALANCE
from streams.connector.check import Key, check_key
from streams.connector.key_info import KEY_INFO
from streams.connector.key_info.report import OwnKey
from streams.core.classify import classify
from tests.connector import answers
from tests.connector.answers import OTHER_KEY, OWN_KEY
from tests.connector.exchange import PASSPHRASE, SECRET, Reply, client_of, serving

RULES = load_rules()
PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>blocked</body></html>"


async def checked(exchange: str, replies: dict[str, Reply], timeout_s: float = 20.0) -> tuple[CheckResult, list[str]]:
    """The result of one check, and what the server was asked."""
    async with serving(**replies) as server, client_of(exchange, server.url) as client:
        result = await check_key(client, Key(f"{exchange}-1"), rules=RULES, limit_s=timeout_s)
    return result, server.asked


def error_type(result: CheckResult) -> ErrorType | None:
    return classify(result, RULES).error_type


# --- a key that works -------------------------------------------------------------------------------------------------

GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("binance", {"/sapi/v1/account/apiRestrictions": answers.BINANCE}),
    ("bybit", {"/v5/user/query-api": answers.BYBIT_UNBOUND}),
    ("okx", {"/api/v5/account/config": answers.OKX}),
    ("kucoin", {"/api/v1/user/api-key": answers.KUCOIN}),
    ("kraken", {"/0/private/GetApiKeyInfo": answers.KRAKEN}),
    ("coinbase", {"/api/v3/brokerage/key_permissions": answers.COINBASE}),
    ("bitget", {"/api/v2/spot/account/info": answers.BITGET_CLASSIC}),
    ("gate", {"/api/v4/account/main_keys": answers.GATE}),
    ("htx", {"/v2/user/uid": {"code": 200, "data": 63628520}, "/v2/user/api-key": answers.HTX}),
    ("gemini", {"/v1/roles": answers.GEMINI}),
    ("bitfinex", {"/v2/auth/r/permissions": answers.BITFINEX}),
    ("mexc", {"/api/v3/apiKeyInfo": answers.MEXC}),
    ("bingx", {"/openApi/v1/account/apiPermissions": answers.BINGX_NUMBERS}),
    ("deribit", {"/api/v2/private/list_api_keys": answers.DERIBIT}),
    ("blofin", {"/api/v1/user/query-apikey": answers.BLOFIN}),
)


@pytest.mark.parametrize(("exchange", "bodies"), GOOD, ids=[row[0] for row in GOOD])
async def test_a_key_that_works(exchange: str, bodies: dict[str, Any]) -> None:
    """One question where one suffices, no market loaded; what the result says is what the reader read."""
    result, asked = await checked(exchange, {path: Reply(body) for path, body in bodies.items()})
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert asked[-1] == KEY_INFO[exchange].endpoint
    assert len(asked) == len(bodies)
    assert result.permissions.read is True
    number, body = next((number, body) for name, number, body in answers.DOCUMENTED if name == exchange)
    read = KEY_INFO[exchange].questions[number].read(body, OwnKey(OWN_KEY, result.checked_at))
    assert (result.permissions, result.ip_restricted, result.expires_at, result.reported_state, result.account) == (
        read.permissions,
        read.ip_restricted,
        read.expires_at,
        read.reported_state,
        read.account,
    )


def test_every_endpoint_is_tried_here() -> None:
    """Upbit's needs the balance too; it has a test of its own."""
    tried = {KEY_INFO[name].endpoint for name, _ in GOOD} | {KEY_INFO["upbit"].endpoint}
    assert tried == {info.endpoint for info in KEY_INFO.values()}


async def test_the_result_is_about_the_key_that_was_asked_for() -> None:
    key = Key("k-9", Environment.DEMO, "customer-7", 4, (Permission.READ, Permission.FUTURES_TRADE))
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    async with serving(**{BYBIT: Reply(answers.BYBIT_UNBOUND)}) as server, client_of("bybit", server.url) as client:
        first, second = [
            await check_key(
                client, key, now=lambda: moment, trigger=CheckTrigger.CONNECT, check_interval_s=300, rules=RULES
            )
            for _ in range(2)
        ]
    assert first.event_id != second.event_id
    assert first.model_dump(exclude={"event_id"}) == second.model_dump(exclude={"event_id"})
    told = first.model_dump()
    assert {name: told[name] for name in ("key_id", "exchange", "environment", "account_id", "credential_version")} == {
        "key_id": "k-9",
        "exchange": "bybit",
        "environment": Environment.DEMO,
        "account_id": "customer-7",
        "credential_version": 4,
    }
    assert first.required_permissions == key.required_permissions
    assert (first.checked_at, first.trigger, first.check_interval_s) == (moment, CheckTrigger.CONNECT, 300)
    assert first.expires_at == datetime(2023, 12, 22, 7, 20, 25, tzinfo=UTC)


# --- a key that does not ----------------------------------------------------------------------------------------------

BINANCE = "/sapi/v1/account/apiRestrictions"
BYBIT = "/v5/user/query-api"
OKX = "/api/v5/account/config"
KRAKEN = "/0/private/GetApiKeyInfo"
HTX = "/v2/user/uid"

BAD: tuple[tuple[str, str, Reply, ErrorType], ...] = (
    ("binance", BINANCE, Reply({"code": -2008, "msg": "Invalid Api-Key ID."}, 401), ErrorType.KEY_NOT_FOUND),
    (
        "binance",
        BINANCE,
        Reply({"code": -1022, "msg": "Signature for this request is not valid."}, 400),
        ErrorType.SIGNATURE_MISMATCH,
    ),
    ("binance", BINANCE, Reply({"code": -1003, "msg": "Too many requests."}, 429), ErrorType.RATE_LIMITED),
    (
        "bybit",
        BYBIT,
        Reply(
            {"retCode": 10010, "retMsg": "Unmatched IP, please check your API key's bound IP addresses.", "result": {}}
        ),
        ErrorType.IP_NOT_ALLOWED,
    ),
    (
        "bybit",
        BYBIT,
        Reply({"retCode": 33004, "retMsg": "Your api key has expired.", "result": {}}),
        ErrorType.KEY_EXPIRED,
    ),
    ("bybit", BYBIT, Reply({"retCode": 10003, "retMsg": "API key is invalid.", "result": {}}), ErrorType.KEY_NOT_FOUND),
    (
        "okx",
        OKX,
        Reply(
            {"code": "50110", "msg": "Your IP 192.0.2.1 is not included in your API key's IP whitelist.", "data": []},
            401,
        ),
        ErrorType.IP_NOT_ALLOWED,
    ),
    ("okx", OKX, Reply({"code": "50119", "msg": "API key doesn't exist", "data": []}, 401), ErrorType.KEY_NOT_FOUND),
    (
        "okx",
        OKX,
        Reply({"code": "50105", "msg": "OK-ACCESS-PASSPHRASE is incorrect", "data": []}, 401),
        ErrorType.PASSPHRASE_MISMATCH,
    ),
    (
        "kucoin",
        "/api/v1/user/api-key",
        Reply({"code": "400006", "msg": "The requested ip address is not in the api whitelist"}, 401),
        ErrorType.IP_NOT_ALLOWED,
    ),
    ("kraken", KRAKEN, Reply({"error": ["EAPI:Invalid key"]}), ErrorType.KEY_NOT_FOUND),
    ("kraken", KRAKEN, Reply({"error": ["EAPI:Invalid signature"]}), ErrorType.SIGNATURE_MISMATCH),
    ("kraken", KRAKEN, Reply({"error": ["EAPI:Invalid nonce"]}), ErrorType.NONCE),
    (
        "bitget",
        "/api/v2/spot/account/info",
        Reply({"code": "40018", "msg": "Invalid IP", "requestTime": 1, "data": None}, 400),
        ErrorType.IP_NOT_ALLOWED,
    ),
    (
        "gate",
        "/api/v4/account/main_keys",
        Reply({"label": "IP_FORBIDDEN", "message": "Request IP not in whitelist: 192.0.2.1"}, 401),
        ErrorType.IP_NOT_ALLOWED,
    ),
    (
        "gate",
        "/api/v4/account/main_keys",
        Reply({"label": "INVALID_KEY", "message": "Invalid key provided"}, 401),
        ErrorType.KEY_NOT_FOUND,
    ),
    (
        "htx",
        HTX,
        Reply(
            {
                "status": "error",
                "err-code": "api-signature-not-valid",
                "err-msg": "Signature not valid: APIkey has expired",
                "data": None,
            }
        ),
        ErrorType.KEY_EXPIRED,
    ),
    ("binance", BINANCE, Reply(PAGE, 403, content_type="text/html"), ErrorType.EGRESS_BLOCKED),
    ("kraken", KRAKEN, Reply(PAGE, 503, content_type="text/html"), ErrorType.EXCHANGE_UNAVAILABLE),
    ("okx", OKX, Reply("", 503), ErrorType.EXCHANGE_UNAVAILABLE),
)


@pytest.mark.parametrize(("exchange", "path", "reply", "expected"), BAD, ids=[f"{row[0]}-{row[3]}" for row in BAD])
async def test_a_refusal(exchange: str, path: str, reply: Reply, expected: ErrorType) -> None:
    """The raw body, status and address are in the result, and the catalogue makes of them what the exchange means."""
    result, asked = await checked(exchange, {path: reply})
    assert result.outcome is Outcome.ERROR
    assert result.error is not None
    assert error_type(result) is expected
    assert len(asked) == 1, "a refusal of the key itself is asked about once"
    assert result.error.http_status == reply.status
    assert result.error.endpoint == asked[0]
    if reply.text:
        assert result.error.message == reply.text
    assert result.permissions == Permissions()


async def test_an_error_that_ccxt_does_not_know_is_no_success() -> None:
    """ccxt passes this answer of HTX on as a good one (its tables lack the code)."""
    result, _ = await checked("htx", {HTX: Reply({"code": 1002, "message": "unauthorized"})})
    assert result.outcome is Outcome.ERROR


async def test_a_page_with_status_200_is_no_success() -> None:
    result, _ = await checked("binance", {path: Reply(PAGE, content_type="text/html") for path in (BINANCE, ACCOUNT)})
    assert error_type(result) is ErrorType.BAD_RESPONSE
    assert result.error is not None
    assert (result.error.ccxt_class, result.error.message) == ("BadResponse", PAGE)


async def test_no_answer_in_time() -> None:
    async with serving() as server, client_of("bybit", server.url) as client:
        server.open.clear()
        result = await check_key(client, Key("bybit-1"), rules=RULES, limit_s=0.3)
    assert error_type(result) is ErrorType.TIMEOUT
    assert result.error is not None
    assert (result.error.endpoint, result.error.http_status) == ("GET /v5/user/query-api", None)


async def test_no_answer_in_ccxts_own_time() -> None:
    async with serving() as server, client_of("kraken", server.url, timeout_s=0.3) as client:
        server.open.clear()
        result = await check_key(client, Key("kraken-1"), rules=RULES)
    assert error_type(result) is ErrorType.TIMEOUT


async def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with client_of("okx", url) as client:
            result = await check_key(client, Key("okx-1"), rules=RULES)
    assert error_type(result) is ErrorType.EXCHANGE_UNAVAILABLE
    assert result.error is not None
    assert (result.error.ccxt_class, result.error.endpoint) == ("ExchangeNotAvailable", f"GET {OKX}")


# --- when the question is refused, not the key ------------------------------------------------------------------------

ACCOUNT = "/api/v3/account"
BALANCES = {"balances": [{"asset": "BTC", "free": "1", "locked": "0"}]}
DENIED_BYBIT = Reply({"retCode": 10005, "retMsg": "Permission denied, please check your API key permissions."})


async def test_the_balance_settles_a_refused_question() -> None:
    replies = {BYBIT: DENIED_BYBIT, "/v5/account/wallet-balance": Reply({"retCode": 0, "result": {"list": []}})}
    result, asked = await checked("bybit", replies)
    assert (result.outcome, asked) == (Outcome.OK, [f"GET {BYBIT}", "GET /v5/account/wallet-balance"])
    assert result.permissions == Permissions(read=True)


async def test_a_refused_balance_is_what_counts() -> None:
    result, _ = await checked("bybit", {BYBIT: DENIED_BYBIT, "/v5/account/wallet-balance": DENIED_BYBIT})
    assert error_type(result) is ErrorType.PERMISSION_DENIED
    assert result.error is not None
    assert result.error.endpoint == "GET /v5/account/wallet-balance"


async def test_a_unified_account_of_bitget_has_its_own_question() -> None:
    replies = {
        "/api/v2/spot/account/info": Reply(
            {"code": "40085", "msg": "You are in Unified Account mode, and the Classic Account API is not supported"},
            400,
        ),
        "/api/v3/account/info": Reply(answers.BITGET_UNIFIED),
    }
    result, asked = await checked("bitget", replies)
    assert result.outcome is Outcome.OK
    assert result.permissions.withdraw is True
    assert len(asked) == 2


async def test_a_list_without_our_key_leaves_the_rest_open() -> None:
    """A key of a sub-account is not among the main keys."""
    replies = {
        "/api/v4/account/main_keys": Reply([answers.gate_key(OTHER_KEY)]),
        "/api/v4/account/detail": Reply(answers.GATE_DETAIL),
        "/api/v4/spot/accounts": Reply([]),
    }
    result, asked = await checked("gate", replies)
    assert (result.outcome, len(asked)) == (Outcome.OK, 3)
    assert (result.permissions, result.ip_restricted) == (Permissions(read=True), True)


async def test_a_second_factor_that_is_asked_for() -> None:
    """Deribit gives its list out to few; the key is fine all the same."""
    refused = Reply({"jsonrpc": "2.0", "error": {"message": "tfa_required", "code": 13003}}, 400)
    summaries = Reply({"jsonrpc": "2.0", "result": {"summaries": [{"currency": "BTC"}]}})
    replies = {"/api/v2/private/list_api_keys": refused, "/api/v2/private/get_account_summaries": summaries}
    result, _ = await checked("deribit", replies)
    assert (result.outcome, result.permissions) == (Outcome.OK, Permissions(read=True))


async def test_upbit_tells_no_rights_so_the_balance_is_asked_for_too() -> None:
    replies = {"/v1/api_keys": Reply(answers.UPBIT), "/v1/accounts": Reply([])}
    result, _ = await checked("upbit", replies)
    assert (result.outcome, result.permissions) == (Outcome.OK, Permissions(read=True))
    assert result.expires_at == datetime(2027, 3, 9, 3, 39, 39, tzinfo=UTC)

    refused = Reply({"error": {"message": "Out of scope", "name": "out_of_scope"}}, 401)
    result, _ = await checked("upbit", {**replies, "/v1/accounts": refused})
    assert result.outcome is Outcome.ERROR
    assert result.expires_at == datetime(2027, 3, 9, 3, 39, 39, tzinfo=UTC)


GOOD_BALANCE: tuple[tuple[str, str, Any], ...] = (
    ("binanceus", "/api/v3/account", BALANCES),
    ("bitstamp", "/api/v2/account_balances/", [{"currency": "usd", "total": "100.00"}]),
    ("bitvavo", "/v2/balance", [{"symbol": "EUR", "available": "10", "inOrder": "0"}]),
    ("cryptocom", "/exchange/v1/private/user-balance", {"code": 0, "result": {"data": []}}),
    ("krakenfutures", "/derivatives/api/v3/accounts", {"result": "success", "accounts": {"cash": {}}}),
    ("phemex", "/spot/wallets", {"code": 0, "msg": "", "data": []}),
    ("poloniex", "/accounts/balances", [{"accountId": "1", "balances": []}]),
    ("whitebit", "/api/v4/trade-account/balance", {"BTC": {"available": "0.1", "freeze": "0"}}),
)


@pytest.mark.parametrize(("exchange", "path", "body"), GOOD_BALANCE, ids=[row[0] for row in GOOD_BALANCE])
async def test_an_exchange_without_such_an_endpoint(exchange: str, path: str, body: object) -> None:
    """Its balance is one request, without ccxt's markets; an empty object in its place proves nothing."""
    result, asked = await checked(exchange, {path: Reply(body)})
    assert (result.outcome, result.permissions, len(asked)) == (Outcome.OK, Permissions(read=True), 1)
    result, _ = await checked(exchange, {path: Reply({})})
    assert result.outcome is Outcome.ERROR


def test_every_balance_without_an_endpoint_is_tried_here() -> None:
    assert {name for name, _, _ in GOOD_BALANCE} == BALANCE.keys() - KEY_INFO.keys()


async def test_any_other_exchange_is_asked_by_fetch_balance() -> None:
    """ccxt then loads the markets first: the first thing that fails is told."""
    result, asked = await checked("zaif", {})
    assert result.outcome is Outcome.ERROR
    assert asked
    assert result.error is not None
    assert result.error.http_status == 404


# --- what ccxt does with a client that lives long ---------------------------------------------------------------------


async def test_a_revoked_key_of_binance_does_not_look_like_a_rate_limit() -> None:
    """Once a request for the account has succeeded, ccxt takes -2015 for a ban."""
    refused = Reply({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401)
    async with serving(**{ACCOUNT: Reply(BALANCES)}) as server, client_of("binance", server.url) as client:
        await client.privateGetAccount()  # type: ignore[attr-defined]
        assert client.options["hasAlreadyAuthenticatedSuccessfully"] is True, "ccxt no longer does this"
        server.replies |= {BINANCE: refused, ACCOUNT: refused}
        result = await check_key(client, Key("binance-1"), rules=RULES)
    assert result.error is not None
    assert result.error.ccxt_class == "AuthenticationError"
    assert error_type(result) is not ErrorType.RATE_LIMITED


async def test_a_master_key_of_gemini_is_not_called_refused() -> None:
    """ccxt raises AuthenticationError before it asks: the exchange has refused nothing."""
    async with serving() as server, client_of("gemini", server.url) as client:
        client.apiKey = f"master-{OWN_KEY}"
        result = await check_key(client, Key("gemini-1"), rules=RULES)
    assert server.asked == []
    assert result.error is not None
    assert result.error.ccxt_class is None
    assert error_type(result) is ErrorType.UNCLASSIFIED


async def test_a_secret_that_cannot_sign_is_not_called_refused() -> None:
    async with serving() as server, client_of("kraken", server.url) as client:
        client.secret = "not base64 at all!"  # noqa: S105 - made up
        result = await check_key(client, Key("kraken-1"), rules=RULES)
    assert server.asked == []
    assert error_type(result) is ErrorType.UNCLASSIFIED
    assert "base64" not in result.model_dump_json()


async def test_a_request_that_was_not_made_has_no_answer_of_an_earlier_one() -> None:
    async def broken(_params: object) -> None:
        raise ValueError

    replies = {HTX: Reply({"code": 200, "data": 63628520})}
    async with serving(**replies) as server, client_of("htx", server.url) as client:
        vars(client).update(spotPrivateGetV2UserApiKey=broken, spotPrivateGetV1AccountAccounts=broken)
        result = await check_key(client, Key("htx-1"), rules=RULES)
    assert server.asked == [f"GET {HTX}"]
    assert result.error is not None
    assert (result.error.http_status, result.error.endpoint, result.error.ccxt_class) == (None, None, None)


async def test_many_checks_on_one_client_at_once_do_not_mix() -> None:
    async with serving(**{BYBIT: Reply(answers.BYBIT_UNBOUND)}) as server, client_of("bybit", server.url) as client:
        server.open.clear()
        checks = [asyncio.create_task(check_key(client, Key(f"k-{n}"), rules=RULES, limit_s=5)) for n in range(4)]
        late = asyncio.create_task(check_key(client, Key("late"), rules=RULES, limit_s=0.2))
        assert error_type(await late) is ErrorType.TIMEOUT
        server.open.set()
        results = await asyncio.gather(*checks)
    assert [result.outcome for result in results] == [Outcome.OK] * 4


# --- nothing secret ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"code": 10500, "msg": f"Failed to find api-key {OWN_KEY}"},
        {"code": 1, "msg": "x", "apiKey": OWN_KEY, "secret": SECRET, "client_secret": "another-secret"},
        f"<html>{SECRET} {PASSPHRASE} https://example.com/a?apiKey={OWN_KEY}&signature=abcdef012345</html>",
    ],
)
@pytest.mark.parametrize("exchange", ["phemex", "binance", "kucoin"])
async def test_credentials_in_an_answer_do_not_pass(exchange: str, body: object) -> None:
    async with serving() as server, client_of(exchange, server.url) as client:
        server.replies = _Everywhere(Reply(body, 401))  # type: ignore[assignment]
        result = await check_key(client, Key(f"{exchange}-1"), rules=RULES)
    assert result.outcome is Outcome.ERROR
    told = result.model_dump_json()
    for secret in (OWN_KEY, SECRET, PASSPHRASE, "another-secret", "abcdef012345"):
        assert secret not in told


class _Everywhere:
    """The same answer at every address."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def get(self, _path: str, _otherwise: Reply) -> Reply:
        return self._reply


async def test_a_signed_address_does_not_pass() -> None:
    """Without an answer ccxt's text is the whole address, signature and all."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with client_of("binance", f"http://127.0.0.1:{closed.getsockname()[1]}") as client:
            result = await check_key(client, Key("binance-1"), rules=RULES)
    assert result.error is not None
    assert result.error.message is not None
    assert "signature" not in result.error.message
    assert result.error.message.endswith(BINANCE)
