"""What is taken over from each exchange's answer about a key, and what is not."""

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt.async_support
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.check_result import CheckResult, Permissions
from schemas.vocabulary import Outcome, ReportedState
from streams.connector.key_info import KEY_INFO
from streams.connector.key_info.report import NOTHING_TOLD, KeyReport, OwnKey
from tests.connector import answers
from tests.connector.answers import AT, DOCUMENTED, OTHER_KEY, OWN_KEY

OWN = OwnKey(OWN_KEY, AT)


def read(exchange: str, body: object, question: int = 0) -> KeyReport:
    return KEY_INFO[exchange].questions[question].read(body, OWN)


def rights(text: str) -> Permissions:
    """Rights by letter, upper case granted, lower case refused: read spot margin futures withdraw internal."""
    names = {"r": "read", "s": "spot_trade", "m": "margin_trade", "f": "futures_trade", "w": "withdraw"}
    names["i"] = "internal_transfer"
    return Permissions(**{names[letter.lower()]: letter.isupper() for letter in text})


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


# --- the documented answers ------------------------------------------------------------------------------------------

EXPECTED = (
    ("binance", 0, answers.BINANCE, "Rsmfwi", False, None, None),
    ("bybit", 0, answers.BYBIT_UNBOUND, "RSFwI", False, utc(2023, 12, 22, 7, 20, 25), None),
    ("bybit", 0, answers.BYBIT_BOUND, "RSFwI", True, None, None),
    ("okx", 0, answers.OKX, "RSW", True, None, None),
    ("kucoin", 0, answers.KUCOIN, "RSMFWI", True, None, None),
    ("kraken", 0, answers.KRAKEN, "RSW", False, None, None),
    ("coinbase", 0, answers.COINBASE, "RSWI", None, None, None),
    ("bitget", 0, answers.BITGET_CLASSIC, "RSF", True, None, None),
    ("bitget", 1, answers.BITGET_UNIFIED, "RSFW", True, None, None),
    ("gate", 0, answers.GATE, "RSfw", True, None, ReportedState.NORMAL),
    ("gate", 1, answers.GATE_DETAIL, "", True, None, None),
    ("htx", 0, answers.HTX, "RSw", True, None, ReportedState.NORMAL),
    ("gemini", 0, answers.GEMINI, "RSw", None, None, None),
    ("bitfinex", 0, answers.BITFINEX, "RSWI", None, None, None),
    ("mexc", 0, answers.MEXC, "RSfwi", False, utc(2027, 2, 14, 23, 59, 59), ReportedState.NORMAL),
    ("bingx", 0, answers.BINGX_NUMBERS, "RSFwI", False, None, None),
    ("bingx", 1, answers.BINGX_FLAGS, "RSFwi", True, None, None),
    ("deribit", 0, answers.DERIBIT, "RSFw", False, None, ReportedState.NORMAL),
    ("upbit", 0, answers.UPBIT, "", None, utc(2027, 3, 9, 3, 39, 39), None),
    ("blofin", 0, answers.BLOFIN, "R", True, utc(2026, 12, 11, 21, 59, 43), None),
)


@pytest.mark.parametrize(("exchange", "question", "body", "granted", "bound", "end", "state"), EXPECTED)
def test_the_documented_answer(
    *, exchange: str, question: int, body: object, granted: str, bound: bool | None, end: datetime | None, state: object
) -> None:
    report = read(exchange, body, question)
    assert report.permissions == rights(granted)
    assert report.ip_restricted is bound
    assert report.expires_at is None if end is None else abs(report.expires_at - end) < timedelta(seconds=1)
    assert report.reported_state is state


def test_every_question_has_a_documented_answer() -> None:
    asked = {(name, number) for name, number, _ in DOCUMENTED}
    for name, info in KEY_INFO.items():
        twins = {other for other, its in KEY_INFO.items() if its is info}
        for number in range(len(info.questions)):
            is_same_again = name == "bingx" and number == 1
            assert is_same_again or any((twin, number) in asked for twin in twins), f"{name} {number}"


@pytest.mark.parametrize("exchange", KEY_INFO)
def test_ccxt_has_the_routes(exchange: str) -> None:
    """That they lead to the endpoint is seen in test_check.py, where a server is asked."""
    client = getattr(ccxt.async_support, exchange)
    for question in KEY_INFO[exchange].questions:
        for call in filter(None, (question.call, question.user_id)):
            assert hasattr(client, call.method), f"{exchange} has no {call.method}"
    assert KEY_INFO[exchange].source.startswith("https://")


# --- the traps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        ("binance", answers.BINANCE),
        ("binance", answers.BINANCE | {"tradingAuthorityExpirationTime": None}),
        ("binance", answers.BINANCE | {"tradingAuthorityExpirationTime": 0}),
        ("binance", answers.BINANCE | {"tradingAuthorityExpirationTime": -1}),
        ("bybit", answers.BYBIT_BOUND),
        ("kraken", answers.KRAKEN),
        ("kraken", {"result": {**answers.KRAKEN["result"], "valid_until": 0}}),
        ("htx", answers.HTX),
        ("blofin", {"data": {**answers.BLOFIN["data"], "expireTime": "0"}}),
        ("mexc", answers.MEXC | {"remainingValidity": -1}),
        ("upbit", [{"access_key": OWN_KEY, "expire_at": None}]),
    ],
)
def test_trap_epoch_zero_minus_one_minus_two_zero_and_absent_mean_never(exchange: str, body: object) -> None:
    assert read(exchange, body).expires_at is None


def test_an_end_date_that_is_one() -> None:
    body = answers.BINANCE | {"tradingAuthorityExpirationTime": 1_798_761_600_000}
    assert read("binance", body).expires_at == utc(2027, 1, 1)
    assert read("kraken", {"result": {"valid_until": "1798761600"}}).expires_at == utc(2027, 1, 1)


@pytest.mark.parametrize("days", [0, 1, 7, 89])
def test_trap_days_are_rounded_down_and_come_back_as_the_same_number(days: int) -> None:
    """And all checks of a day tell one moment: a reminder is sent once for each."""
    body = answers.htx(answers.htx_key(OWN_KEY, validDays=days))
    ends = {KEY_INFO["htx"].questions[0].read(body, OwnKey(OWN_KEY, at)).expires_at for at in _moments_of_a_day()}
    (end,) = ends
    assert end is not None
    assert [(end - at) // timedelta(days=1) for at in _moments_of_a_day()] == [days] * 3


def _moments_of_a_day() -> tuple[datetime, ...]:
    return utc(2026, 11, 24), utc(2026, 11, 24, 10, 30), utc(2026, 11, 24, 23, 59, 59)


def test_a_key_that_has_ended_has_no_end_to_come() -> None:
    report = read("htx", answers.htx(answers.htx_key(OWN_KEY, status="expired", validDays=0)))
    assert (report.reported_state, report.expires_at) == (ReportedState.EXPIRED, None)


@pytest.mark.parametrize(
    "nowhere", [[], [""], "", ["*"], "*", ["0.0.0.0/0"], "0.0.0.0/0", ["::/0"], ["*", "192.0.2.1"]]
)
def test_trap_an_empty_list_of_addresses_is_written_in_many_ways(nowhere: object) -> None:
    assert read("bybit", answers.bybit(ips=nowhere)).ip_restricted is False
    assert read("kraken", {"result": {"permissions": [], "ip_allowlist": nowhere}}).ip_restricted is False
    assert read("htx", answers.htx(answers.htx_key(OWN_KEY, ipAddresses=nowhere))).ip_restricted is False


def test_trap_the_list_may_hold_other_keys() -> None:
    assert read("htx", answers.htx(answers.htx_key(OTHER_KEY, permission="withdraw"))) == NOTHING_TOLD
    assert read("gate", [answers.gate_key(OTHER_KEY)]) == NOTHING_TOLD
    assert read("deribit", {"result": [answers.DERIBIT["result"][1]]}) == NOTHING_TOLD
    assert read("upbit", [answers.UPBIT[0]]) == NOTHING_TOLD
    assert read("mexc", answers.MEXC | {"accessKey": OTHER_KEY}) == NOTHING_TOLD


def test_trap_our_own_key_may_be_masked() -> None:
    own, other = OWN_KEY[:2] + "****" + OWN_KEY[-2:], OTHER_KEY[:2] + "****" + OTHER_KEY[-2:]
    body = [answers.gate_key(other, state=2), answers.gate_key(own)]
    assert read("gate", body).reported_state is ReportedState.NORMAL
    assert read("gate", [answers.gate_key(own), answers.gate_key(own)]) == NOTHING_TOLD
    assert read("gate", [answers.gate_key("*****")]) == NOTHING_TOLD
    assert read("gate", [answers.gate_key("*[!x]?*")]) == NOTHING_TOLD


def test_trap_secrets_and_names_stay_behind() -> None:
    told = json.dumps(asdict(read("deribit", answers.DERIBIT)), default=str)
    assert "secret" not in told
    assert "owner" not in told
    assert OWN_KEY not in told


def test_trap_a_flag_that_is_not_reported_is_null() -> None:
    assert read("coinbase", answers.COINBASE).permissions.futures_trade is None
    assert read("okx", answers.OKX).permissions.futures_trade is None
    assert read("gemini", {"isTrader": True}).permissions.withdraw is None
    assert read("binance", {"enableReading": True}).permissions == rights("R")


# --- what a right means ----------------------------------------------------------------------------------------------


def test_bybit_lists_the_rights_of_a_key_that_only_reads_too() -> None:
    permissions = read("bybit", answers.bybit(readOnly=1, ips=["*"])).permissions
    assert permissions == rights("Rsfwi")
    withdraws = read("bybit", answers.bybit(permissions={"Wallet": ["Withdraw"]})).permissions
    assert (withdraws.withdraw, withdraws.spot_trade) == (True, None)


def test_okx_without_trade_trades_nowhere() -> None:
    body = {"data": [{"acctLv": "1", "perm": "read_only", "ip": ""}]}
    report = read("okx", body)
    assert report.permissions == rights("Rsmfw")
    assert report.account.futures_enabled is None
    assert read("okx", answers.OKX).account.futures_enabled is True


def test_kucoins_broad_rights_leave_markets_open() -> None:
    assert read("kucoin", {"data": {"permission": "General,Unified"}}).permissions == rights("Rwi")
    assert read("kucoin", {"data": {"permission": "General,Spot"}}).permissions == rights("RSmfwi")


def test_kraken_in_camel_case() -> None:
    body = {"result": {"permissions": ["query-funds"], "validUntil": "1798761600", "ipAllowlist": ["192.0.2.1"]}}
    report = read("kraken", body)
    assert (report.permissions, report.ip_restricted, report.expires_at) == (rights("Rsw"), True, utc(2027, 1, 1))


def test_bitgets_codes_by_market_prove_nothing_by_their_absence() -> None:
    coded = {"data": {"authorities": ["coow", "readonly"], "ips": ""}}
    assert read("bitget", coded).permissions == rights("R")
    assert read("bitget", {"data": {"authorities": ["readonly"]}}).permissions == rights("Rsf")


def test_bitgets_unified_key_that_only_reads() -> None:
    body = {"data": {**answers.BITGET_UNIFIED["data"], "permType": "read-only"}}
    assert read("bitget", body, 1).permissions == rights("Rsfw")


@pytest.mark.parametrize(
    ("perms", "granted"),
    [
        ([{"name": "wallet", "read_only": False}], "Rsf"),
        ([{"name": "wallet", "read_only": True}], "Rsfw"),
        ([{"name": "withdraw", "read_only": False}], "RsfW"),
        ([{"name": "spot", "read_only": True}, {"name": "futures", "read_only": False}], "RsFw"),
        ([], "rsfw"),
        (None, ""),
    ],
)
def test_gates_groups(perms: object, granted: str) -> None:
    """Whether ``wallet`` covers withdrawals is not known: writing there leaves it open."""
    assert read("gate", [answers.gate_key(OWN_KEY, perms=perms)]).permissions == rights(granted)


@pytest.mark.parametrize(
    ("state", "word"), [(1, ReportedState.NORMAL), (2, ReportedState.FROZEN), (3, ReportedState.LOCKED), (9, None)]
)
def test_gates_states(state: int, word: ReportedState | None) -> None:
    assert read("gate", [answers.gate_key(OWN_KEY, state=state)]).reported_state is word


def test_bingx_may_withdraw() -> None:
    assert read("bingx", {"data": {"permissions": [2, 5]}}).permissions == rights("RsfWi")


def test_a_disabled_key_of_deribit() -> None:
    body = {"result": [answers.DERIBIT["result"][0] | {"enabled": False}]}
    assert read("deribit", body).reported_state is ReportedState.DISABLED


def test_a_key_of_mexc_that_is_bound_does_not_end() -> None:
    report = read("mexc", answers.MEXC | {"ipWhiteList": "192.0.2.1"})
    assert (report.ip_restricted, report.expires_at) == (True, None)


def test_a_key_of_blofin_that_only_reads() -> None:
    assert read("blofin", {"data": {"readOnly": 1}}).permissions == rights("Rsmfwi")


# --- anything at all -------------------------------------------------------------------------------------------------

NUMBERS = st.integers() | st.floats() | st.just(10**400)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=12) | st.just(OWN_KEY)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner))
QUESTIONS = [(name, number) for name, info in KEY_INFO.items() for number in range(len(info.questions))]


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value of a body."""
    yield path
    children = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, child in children:
        yield from places(child, (*path, name))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(body)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


def as_result(report: KeyReport) -> CheckResult:
    return CheckResult(
        event_id="e",
        key_id="k",
        exchange="x",
        checked_at=AT,
        outcome=Outcome.OK,
        permissions=report.permissions,
        ip_restricted=report.ip_restricted,
        expires_at=report.expires_at,
        reported_state=report.reported_state,
        account=report.account,
    )


@given(st.sampled_from(QUESTIONS), JSON)
def test_any_body_gives_a_report(asked: tuple[str, int], body: object) -> None:
    as_result(read(asked[0], body, asked[1]))


@given(st.sampled_from(DOCUMENTED), st.data())
def test_a_documented_answer_with_anything_in_one_place_gives_a_report(
    documented: tuple[str, int, Any], data: st.DataObject
) -> None:
    exchange, question, body = documented
    place = data.draw(st.sampled_from(list(places(body))))
    as_result(read(exchange, replaced(body, place, data.draw(JSON)), question))


@given(st.sampled_from(DOCUMENTED), st.data())
def test_no_text_of_an_answer_passes(documented: tuple[str, int, Any], data: st.DataObject) -> None:
    """Whatever text stands in whatever place: only words of our own and end dates come out."""
    exchange, question, body = documented
    place = data.draw(st.sampled_from(list(places(body))))
    text = f"smuggled-{data.draw(st.text('abcdefg0123456789', min_size=3, max_size=12))}"
    told = as_result(read(exchange, replaced(body, place, text), question)).model_dump_json()
    assert text not in told


def test_no_text_of_a_documented_answer_passes() -> None:
    for exchange, question, body in DOCUMENTED:
        told = as_result(read(exchange, body, question)).model_dump_json()
        texts = {str(value) for value in _leaves(body) if isinstance(value, str) and len(value) > len("readOnly")}
        assert {text for text in texts if text in told} <= {"2023-12-22T07:20:25Z"}, exchange


def _leaves(body: Any) -> Iterator[Any]:
    if isinstance(body, dict | list):
        for child in body.values() if isinstance(body, dict) else body:
            yield from _leaves(child)
    else:
        yield body


@given(st.sampled_from(DOCUMENTED), st.data())
def test_a_list_of_rights_that_is_missing_leaves_all_rights_open(
    documented: tuple[str, int, Any], data: st.DataObject
) -> None:
    """No right is ever refused by an answer from which the rights were taken out."""
    exchange, question, body = documented
    names = {"permissions", "permission", "perm", "perms", "authorities", "max_scope", "readOnly"}
    for place in [place for place in places(body) if place and place[-1] in names]:
        body = replaced(body, place, data.draw(st.sampled_from([None, "", 7.5, {"x": 1}])))
    if any(place and place[-1] in names for place in places(body)):
        assert False not in read(exchange, body, question).permissions.model_dump().values()
