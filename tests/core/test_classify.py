"""From one raw answer to its verdict, whatever the connector put where."""

import json
from datetime import date
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.check_result import CheckResult
from schemas.vocabulary import Certainty, ErrorType
from streams.catalogue import load_rules
from streams.core.classify import SUCCESS, UNCLASSIFIED, Verdict, classify
from streams.core.rule_files import RuleFile, compile_rules
from streams.core.rules import RuleSet, Tier

RULES: Final = load_rules()
BINANCE_2015: Final = "Invalid API-key, IP, or permissions for action."


def checked(exchange: str, rules: RuleSet = RULES, **error: str | int | None) -> Verdict:
    """The verdict of an error answer with these fields."""
    fields = {"event_id": "1", "key_id": "k", "checked_at": "2026-11-24T07:00:00Z", "outcome": "error"}
    return classify(CheckResult.model_validate({**fields, "exchange": exchange, "error": error}, strict=False), rules)


def test_success_is_one_shared_verdict() -> None:
    """Nine results in ten succeed: none of them costs a new object."""
    fields = {"event_id": "1", "key_id": "k", "exchange": "binance", "checked_at": "2026-11-24T07:00:00Z"}
    result = CheckResult.model_validate({**fields, "outcome": "ok"}, strict=False)
    assert classify(result, RULES) is classify(result, RULES) is SUCCESS
    assert Verdict(None, Certainty.DEFINITE, None, None) == SUCCESS


@pytest.mark.parametrize(
    ("exchange", "endpoint", "error_type", "certainty"),
    [
        pytest.param(
            "bybit", None, ErrorType.KEY_EXPIRED, Certainty.AMBIGUOUS, id="Bybit: expired, unless it is Binance's text"
        ),
        pytest.param("binance", None, ErrorType.AUTH_FAILED_UNSPECIFIED, Certainty.AMBIGUOUS, id="Binance: anything"),
        pytest.param(
            "binance",
            "https://fapi.binance.com/fapi/v2/account",
            ErrorType.FUTURES_NOT_ENABLED,
            Certainty.AMBIGUOUS,
            id="Binance futures: no futures permission",
        ),
        pytest.param("okx", None, ErrorType.UNCLASSIFIED, Certainty.IRRELEVANT, id="OKX: not a number of theirs"),
        pytest.param("made_up", None, ErrorType.UNCLASSIFIED, Certainty.IRRELEVANT, id="an exchange without a file"),
    ],
)
@pytest.mark.parametrize("where", ["code", "message", "both"])
def test_the_same_number_means_different_things(
    exchange: str, endpoint: str | None, error_type: ErrorType, certainty: Certainty, where: str
) -> None:
    """-2015, as a code, inside ccxt's message, or both."""
    name = "retCode" if exchange == "bybit" else "code"
    body = f'{exchange} {{"{name}":-2015,"msg":"{BINANCE_2015}"}}'
    verdict = checked(
        exchange,
        code=None if where == "message" else "-2015",
        message=BINANCE_2015 if where == "code" else body,
        endpoint=endpoint,
    )
    if exchange in {"okx", "made_up"}:
        assert verdict == UNCLASSIFIED
    assert (error_type, certainty) == (verdict.error_type, verdict.certainty)


def test_an_unknown_code_falls_back_to_the_body_s() -> None:
    """Some connectors copy the HTTP status into `code`."""
    verdict = checked("binance", code="400", message='binance {"code":-1022,"msg":"Signature ..."}')
    assert verdict.rule == "binance.signature"


def test_the_connector_s_code_comes_before_the_body_s() -> None:
    """When both are known, what the connector read counts."""
    verdict = checked("binance", code="-2014", message='binance {"code":-1022,"msg":"Signature ..."}')
    assert verdict.rule == "binance.key_format"


def test_a_further_condition_narrows_a_rule() -> None:
    """A message rule with a ccxt class stays in its tier and holds for that class only."""
    rule = {"id": "defaults.a", "message": "key refused", "ccxt_class": "PermissionDenied", "meaning": "m"}
    head = {"exchange": "defaults", "source": "https://example.com", "checked": date(2026, 11, 24)}
    file = RuleFile("defaults.toml", {**head, "rule": [{**rule, "error_type": "permission_denied"}]}, (5,))
    rules, problems = compile_rules([file])
    assert not problems
    assert checked("made_up", rules, message="Key refused.", ccxt_class="PermissionDenied").tier is Tier.MESSAGE
    assert checked("made_up", rules, message="Key refused.", ccxt_class="NetworkError") == UNCLASSIFIED


def test_the_longest_literal_decides() -> None:
    """Two message rules hold: the one that says more is meant."""
    message = "Error 1: EOrder:Insufficient funds after EAccount:Invalid permissions:XBT trading restricted for US:TX"
    assert checked("kraken", message=message).rule == "kraken.market_restricted"


def test_a_page_is_never_the_exchange_s_answer() -> None:
    """Neither a copied status as code nor a phrase on the page counts as the exchange's word on the key."""
    page = '<!DOCTYPE html><style>{"code":-2014}</style>API key does not exist. APIkey has expired'
    for exchange in ("binance", "htx", "kraken", "made_up"):
        verdict = checked(exchange, code="-2014", message=page, http_status=403)
        assert (verdict.error_type, verdict.tier) == (ErrorType.EGRESS_BLOCKED, Tier.MESSAGE)


def test_a_literal_counts_only_near_the_beginning() -> None:
    """Matching is bounded, however long a message is."""
    assert checked("okx", message="x" * 900 + "server error").rule == "okx.server_error"
    assert checked("okx", message="x" * 1_020 + "server error") == UNCLASSIFIED


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("x" * 65_536, id="64 KiB of text"),
        pytest.param("{" * 65_536, id="64 KiB of braces"),
        pytest.param('{"a":' * 13_000, id="an object that never ends"),
        pytest.param('{"code":' + "[" * 10_000 + "]" * 10_000 + "}", id="a list 10,000 deep"),
        pytest.param('{"code":' + "9" * 10_000 + "}", id="a number of 10,000 digits"),
        pytest.param('{"code":1e999,"msg":NaN}', id="numbers that are none"),
        pytest.param('{"code":null,"msg":["a"]}', id="no text where text belongs"),
        pytest.param('{"code":"\\ud800"}', id="half a surrogate pair"),
    ],
)
def test_nothing_in_a_message_raises(message: str) -> None:
    """Hostile and broken bodies are unclassified at every exchange."""
    for exchange in (*RULES.exchanges, "made_up"):
        assert checked(exchange, message=message) == UNCLASSIFIED


TEXTS: Final = st.none() | st.text(max_size=200)
ANSWERS: Final = st.dictionaries(
    st.sampled_from(["code", "msg", "retCode", "error", "errors", "data", "label", "err-code", "message", "0"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None)
@given(
    exchange=st.sampled_from([*sorted(RULES.exchanges), "made_up"]),
    code=TEXTS,
    message=TEXTS | ANSWERS.map(json.dumps),
    endpoint=TEXTS,
    ccxt_class=TEXTS,
    http_status=st.none() | st.integers(0, 999),
)
def test_any_answer_gives_a_verdict(
    exchange: str,
    code: str | None,
    message: str | None,
    endpoint: str | None,
    ccxt_class: str | None,
    http_status: int | None,
) -> None:
    """Total, deterministic, and true to its rule."""
    answer = {"code": code, "message": message, "endpoint": endpoint, "http_status": http_status}
    verdict = checked(exchange, ccxt_class=ccxt_class and ccxt_class[:128], **answer)
    assert verdict == checked(exchange, ccxt_class=ccxt_class and ccxt_class[:128], **answer)
    known = {rule.id: rule for rule in RULES.rules()}
    if verdict.rule is None:
        assert verdict == UNCLASSIFIED
    else:
        rule = known[verdict.rule]
        assert (rule.error_type, rule.certainty, rule.tier) == (verdict.error_type, verdict.certainty, verdict.tier)


@given(padding=st.text(alphabet=" \t\n", max_size=5), upper=st.booleans())
def test_white_space_and_case_do_not_matter(padding: str, upper: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """A code is compared after folding."""
    code = f"{padding}IP_FORBIDDEN{padding}"
    assert checked("gate", code=code if upper else code.lower()).rule == "gate.ip_not_allowed"
