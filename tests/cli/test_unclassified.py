"""``keystatus unclassified``: what no rule knows, counted by shape, from lines and from a real Kafka."""

import asyncio
import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.check_result import ExchangeError
from schemas.vocabulary import ErrorType
from streams.catalogue import load_rules
from streams.core.classify import classify
from streams.core.record import LogRecord
from streams.core.rules import Answer, RuleSet
from streams.settings import Settings
from streams.topics import Role
from streams.unclassified import Tally, as_cases, mask, mask_code, mask_path, shape_of
from tests.cli.command import as_lines, check_result, environment, error_line, objects, run
from tests.cli.kafka_records import write
from tests.rules.conftest import Case

NOW = datetime.now(UTC)


def refused(message: str | None = None, *, key: str = "k", hours_ago: float = 0, **error: Any) -> dict[str, Any]:
    """An answer that some exchange without rules gave."""
    moment = (NOW - timedelta(hours=hours_ago)).isoformat()
    return check_result(
        exchange=error.pop("exchange", "unheard"),
        key_id=key,
        event_id=f"e-{moment}",
        checked_at=moment,
        outcome="error",
        permissions={},
        error={"message": message, **error},
    )


def counted(*payloads: dict[str, Any], options: tuple[str, ...] = ("--json",)) -> list[dict[str, Any]]:
    return objects(run("unclassified", "-", *options, given=as_lines(*payloads)).stdout)


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Order 1234 of 'BTC-USDT' isn't there", "Order <n> of <text> isn't there"),
        ('symbol "A" and `b`  and “c”', "symbol <text> and <text> and <text>"),
        ("IP 203.0.113.7 and 203.0.113.0/24 and 203.0.113.9:443", "IP <ip> and <ip> and <ip>"),
        ("IP 2001:db8::1 at 12:00:00", "IP <ip> at <n>"),
        ("at 2026-11-24T12:00:00.5Z", "at <n>T<n>Z"),
        ("-1,234.5 of +6 at 7%", "<n> of <n> at <n>%"),
        ("user a.b@example.com", "user <email>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <id>"),
        ("key abcDEF123ghi456JKL789 is bad", "key <id> is bad"),
        ("key abcdefghijklmnopqrstuvwxyzabcdefgh is bad", "key <id> is bad"),
        ("hash 0xDEADbeef and deadbeef01", "hash <hex> and <hex>"),
        ("GET https://api.example.com/me?signature=abc&x=1 failed", "GET https://api.example.com/me?<query> failed"),
        ("ERR_RATE_LIMIT_2 by HMAC-SHA256", "ERR_RATE_LIMIT_<n> by HMAC-SHA<n>"),
        ("not_enough_permissions_for_this_account", "not_enough_permissions_for_this_account"),
        ("the owner's key isn't the platform's", "the owner's key isn't the platform's"),
    ],
)
def test_a_text_is_masked(text: str, shape: str) -> None:
    assert mask(text) == shape


@given(st.text(max_size=400))
def test_masking_is_total_and_leaves_no_digit(text: str) -> None:
    """Nothing that was masked once is masked again into something else."""
    shape = mask(text)
    assert not any(character in "0123456789" for character in shape)
    assert mask(shape) == shape


def test_a_code_stays_unless_it_is_a_sentence() -> None:
    assert mask_code("-2015") == "-2015"
    assert mask_code("ERR_50119") == "ERR_50119"
    assert mask_code("EGeneral:Internal error[12]") == "EGeneral:Internal error[<n>]"
    assert mask_code("abcDEF123ghi456JKL789") == "<id>"


def test_a_path_keeps_its_version() -> None:
    assert mask_path("/api/v5/order/12345/abcDEF123ghi456?key=1") == "/api/v5/order/<n>/<id>"


ANSWER = Answer(code=["code"], message=["msg"])


@pytest.mark.parametrize(
    ("error", "answer", "code", "message"),
    [
        pytest.param({"code": "7", "message": "no 1"}, Answer(), "7", "no <n>", id="fields"),
        pytest.param({"message": 'x {"code":7,"msg":"no 1"}'}, ANSWER, "7", "no <n>", id="JSON that rules can read"),
        pytest.param(
            {"message": 'x {"code":7,"data":{"why":"no 1","12":[1,"it\'s 2"]}}'},
            Answer(),
            None,
            '{"code":"7","data":{"why":"no <n>","<n>":["<n>","it\'s <n>"]}}',
            id="JSON that nobody has read yet",
        ),
        pytest.param({"message": "x Order 12 is gone"}, Answer(), None, "Order <n> is gone", id="ccxt's prefix"),
        pytest.param(
            {"message": "<html><title>Error 1020</title>key 7</html>"}, Answer(), None, "<html> Error <n>", id="a page"
        ),
        pytest.param({"message": None}, Answer(), None, "", id="nothing"),
    ],
)
def test_the_shape_of_an_answer(error: dict[str, Any], answer: Answer, code: str | None, message: str) -> None:
    shape = shape_of("x", ExchangeError(**error), answer)
    assert (shape.code, shape.message) == (code, message)


@given(st.text(max_size=200), st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner)))
def test_any_answer_has_a_shape(text: str, body: object) -> None:
    for message in (text, json.dumps({"a": body}), "{" * 3_000, '{"a":' * 900):
        shape_of("x", ExchangeError(code=text, message=message), ANSWER)


# --- counting ---------------------------------------------------------------------------------------------------------


def test_the_same_message_with_other_numbers_is_one_shape() -> None:
    payloads = [
        refused(f"Order {number} is gone", key=f"k-{number % 2}", hours_ago=number, http_status=(400, 404)[number % 2])
        for number in (1, 3, 0, 2)
    ]
    (row,) = counted(*payloads)
    assert row == {
        "exchange": "unheard",
        "code": None,
        "message": "Order <n> is gone",
        "answers": 4,
        "keys": 2,
        "first_at": (NOW - timedelta(hours=3)).isoformat(),
        "last_at": NOW.isoformat(),
        "http_statuses": [400, 404],
        "endpoints": [],
        "ccxt_classes": [],
    }


def test_most_answers_first_and_apart_by_exchange_and_code() -> None:
    rows = counted(
        refused("a"), refused("a", code="1"), refused("a", code="1", key="l"), refused("a", exchange="unknown")
    )
    assert [(row["exchange"], row["code"], row["answers"]) for row in rows] == [
        ("unheard", "1", 2),
        ("unheard", None, 1),
        ("unknown", None, 1),
    ]


def test_what_a_rule_knows_is_not_told() -> None:
    """Nor is a success, a removal, a deadline, or what cannot be read."""
    known = refused(code="-2014", exchange="binance")
    removal = {"key": "k", "value": None}
    deadline = {"type": "deadline", "key_id": "k", "kind": "expiry", "due_at": "2026-11-24T12:00:00Z"}
    assert counted(known, check_result(), removal, deadline, {"key": "k", "value": "{broken"}) == []


def test_an_answer_that_has_got_a_rule_in_the_meantime_vanishes() -> None:
    """The rules are those of today, not those by which it was decided."""
    value = json.dumps(refused(code="-2014", exchange="binance")).encode()
    for rules, left in ((RuleSet(), 1), (load_rules(), 0)):
        tally = Tally(rules)
        tally.add(LogRecord("", 0, 0, -1, b"k", value))
        assert len(tally.most_frequent()) == left


def test_since() -> None:
    payloads = [refused("old", hours_ago=30), refused("new", hours_ago=1)]
    assert [row["message"] for row in counted(*payloads, options=("--json", "--since", "24h"))] == ["new"]
    assert len(counted(*payloads, options=("--json", "--since", "2d"))) == 2


def test_no_secret_comes_out() -> None:
    """A key that an exchange repeats in its answer, and the customer's address."""
    key = "not1a2real3key4"
    given = as_lines(refused(f"key {key} from 203.0.113.77 is bad", endpoint=f"/me?apiKey={key}"))
    for options in ((), ("--json",), ("--as-cases",)):
        done = run("unclassified", "-", *options, given=given)
        assert done.returncode == 0
        assert key.encode() not in done.stdout
        assert b"203.0.113.77" not in done.stdout
        assert b"key <id> from <ip> is bad" in done.stdout


def test_in_columns(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_bytes(as_lines(refused("Order 5 is gone", code="77", http_status=400, ccxt_class="ExchangeError")))
    heading, line = run("unclassified", str(file)).stdout.decode().splitlines()
    assert heading.split()[:4] == ["answers", "keys", "last", "exchange"]
    assert line.split()[:2] == ["1", "1"]
    assert "unheard" in line
    assert "Order <n> is gone" in line


# --- cases ------------------------------------------------------------------------------------------------------------


def test_cases_are_ready_to_be_pasted() -> None:
    """They are read as cases, and pass as they stand: the answers are unclassified."""
    payloads = [
        refused('okx {"msg":"No \\"such\\" thing \x7f\\u0001 for 12","code":"59999"}', exchange="okx", http_status=400),
        refused("<html><title>Go away</title></html>", http_status=404, endpoint="/api/v1/orders/55"),
        refused(None, ccxt_class="ExchangeError"),
        refused("kraken EWhat:No such error", exchange="kraken"),
    ]
    text = run("unclassified", "-", "--as-cases", given=as_lines(*payloads)).stdout.decode()
    cases = [Case.model_validate(table) for table in tomllib.loads(text)["case"]]
    assert len(cases) == 4
    rules = load_rules()
    for case in cases:
        assert (case.rule, case.error_type) == ("", ErrorType.UNCLASSIFIED)
        assert classify(case.result, rules).error_type is ErrorType.UNCLASSIFIED, case
    assert "# tests/rules/cases/okx.toml: 1 answers of 1 keys" in text
    by_exchange = {case.exchange: case for case in cases}
    assert by_exchange["okx"].code == "59999"
    assert by_exchange["okx"].http == 400


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_answer_makes_a_case(code: str, message: str) -> None:
    tally = Tally(RuleSet())
    payload = refused(message, code=code)
    tally.add(LogRecord("", 0, 0, -1, b"k", json.dumps(payload).encode()))
    text = "\n".join(as_cases(tally.most_frequent()))
    assert len(tomllib.loads(text)["case"]) == 1


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("--since", "yesterday"), ("--since", "24"), ("--json", "--as-cases"), ("no/such/file",)],
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    done = run("unclassified", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    error_line(done)


def test_no_broker() -> None:
    """Port 9 is the one where nobody answers."""
    done = run("unclassified", env=environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert "keystatus broker" in error_line(done)


@pytest.mark.kafka
class TestKafka:
    def test_the_topic_is_counted_to_its_end(self, settings: Settings) -> None:
        """Over all partitions, and once: reading changes nothing."""
        results = [refused(f"Order {n} is gone", key=f"key-{n}") for n in range(200)] + [check_result(key_id="fine")]
        records = [(payload["key_id"], json.dumps(payload).encode()) for payload in results]
        asyncio.run(write(settings, Role.CHECK_RESULTS, [*records, ("key-1", None), ("key-2", b"rubbish")]))
        for _ in range(2):
            (row,) = objects(run("unclassified", "--json", env=environment(settings)).stdout)
            assert (row["message"], row["answers"], row["keys"]) == ("Order <n> is gone", 200, 200)

    def test_since_by_the_log_s_time(self, settings: Settings) -> None:
        """The broker stamps the records: what came a moment ago is there, and nothing came later than now."""
        payload = refused("just now", key="k")
        asyncio.run(write(settings, Role.CHECK_RESULTS, [("k", json.dumps(payload).encode())]))
        (row,) = objects(run("unclassified", "--json", "--since", "1h", env=environment(settings)).stdout)
        assert row["answers"] == 1
        assert run("unclassified", "--json", "--since", "0s", env=environment(settings)).stdout == b""

    def test_an_empty_topic(self, settings: Settings) -> None:
        done = run("unclassified", env=environment(settings))
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
