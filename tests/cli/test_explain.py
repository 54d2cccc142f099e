"""``keystatus explain``: the path that it tells is the worker's, and what it says would change the outcome does."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams
from schemas.vocabulary import Status
from streams.catalogue import load_rules
from streams.core.decide import decide
from streams.core.record import LogRecord
from streams.core.rule_files import RuleFile, compile_rules
from streams.core.rules import Tier
from streams.explain import TIERS, Explanation, explain_record
from streams.outlook import clock
from tests.cli.command import as_lines, check_result, error_line, objects, run
from tests.factories import NAMED_RULES, POLICY, START, Story, after, failure, ok, record
from tests.rules.conftest import all_cases

HOUR = {"hours": 1}
UNSPECIFIED = "auth_failed_unspecified"


def explained(story: Story, payload: Mapping[str, Any]) -> Explanation:
    """What is told of a result that comes next in a story, without its coming."""
    return explain_record(record(payload, offset=len(story.records)), story.state, NAMED_RULES, POLICY)


def connected() -> Story:
    story = Story()
    story.ok()
    return story


def refused(**fields: Any) -> Story:
    """A key without spot trading."""
    story = Story()
    story.ok(permissions={"read": True, "spot_trade": False}, **fields)
    return story


# --- it is the worker's path ------------------------------------------------------------------------------------------


def scripted() -> Iterator[list[dict[str, Any]]]:
    """The demo's keys, answer by answer."""
    answers = Path(next(iter(streams.__path__))) / "demo" / "answers.jsonl"
    keys: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, answers.read_text(encoding="utf-8").splitlines()):
        moment = after(seconds=line["after_s"]).isoformat()
        payload = line["result"] | {"checked_at": moment, "event_id": f"e-{line['after_s']}", "key_id": "key-1"}
        keys.setdefault(line["result"]["key_id"], []).append(payload)
    return (sorted(payloads, key=lambda payload: payload["checked_at"]) for payloads in keys.values())


def test_it_tells_what_the_worker_decides() -> None:
    """For every answer of the demo, in its key's story: rule, row, disposition and status."""
    rules = load_rules()
    told = 0
    for payloads in scripted():
        state = None
        for offset, payload in enumerate(payloads):
            entry = record(payload, offset=offset)
            decision, path = decide(entry, state, rules, POLICY), explain_record(entry, state, rules, POLICY)
            state = decision.state if decision.touched else state
            assert path.disposition is decision.disposition
            assert path.status_after is (None if state is None else state.status)
            assert (path.row.number if path.row else None) == decision.row
            assert decision.verdict is not None
            assert (path.rule.rule if path.rule else None) == decision.verdict.rule
            assert (path.rule.tier if path.rule else None) == (decision.verdict.tier if path.rule else None)
            if decision.change is not None:
                assert path.row is not None
                assert (path.row.status, path.row.reason) == (decision.change.status, decision.change.reason)
                assert path.row.further_issues == decision.change.issues[1:]
            told += 1
    assert told >= 90


def test_the_rule_that_decides_is_the_classifier_s() -> None:
    """For every recorded answer of every exchange; no rule of a later tier is told before one of an earlier."""
    rules = load_rules()
    cases = [case for cases in all_cases().values() for case in cases]
    for offset, case in enumerate(cases):
        value = case.result.model_dump_json().encode()
        path = explain_record(LogRecord("", 0, offset, -1, b"k", value), None, rules, POLICY)
        assert (path.rule.rule if path.rule else "") == case.rule, case
        tiers = [speaker.tier for speaker in ([path.rule] if path.rule else []) + list(path.other_tiers)]
        assert tiers == sorted(set(tiers))
        assert all(speaker.held for speaker in path.other_tiers)
    assert len(cases) > 500


def by_text(*literals: list[str], message: str) -> Explanation:
    """An answer of an exchange that has one rule for each list of literals."""
    common = {"error_type": "key_not_found", "meaning": "m"}
    tables = [{"id": f"some.{n}", "message": texts, **common} for n, texts in enumerate(literals)]
    data = {"exchange": "some", "source": "https://example.com", "checked": date(2026, 11, 24), "rule": tables}
    rules, problems = compile_rules([RuleFile("some.toml", data, ())])
    assert not problems
    payload = failure("x", exchange="some", error={"message": message})
    return explain_record(record(payload), None, rules, POLICY)


def test_the_longest_text_that_is_met_is_told() -> None:
    """As the rule writes it, and of two rules that hold the one that says more."""
    path = by_text(["Key Gone", "Key gone for ever"], message="your KEY gone for  ever, sorry")
    assert path.rule is not None
    assert path.rule.held == {"message": "Key gone for ever"}
    path = by_text(["key gone"], ["user has left"], message="key gone since user has left")
    assert path.rule is not None
    assert (path.rule.rule, path.other_tiers) == ("some.1", ())


@given(st.none() | st.binary(max_size=300))
def test_any_bytes_are_explained(value: bytes | None) -> None:
    """They are no check result, and that is told."""
    path = explain_record(record(value), None, NAMED_RULES, POLICY)
    assert path.story
    assert path.rule is None


def test_every_tier_has_words() -> None:
    assert set(TIERS) == set(Tier)


# --- what the memory adds ---------------------------------------------------------------------------------------------

SPEAKING_OF_FUTURES = {"required_permissions": ["read", "futures_trade"]}

STORIES: Mapping[str, tuple[Story, dict[str, Any], str, str]] = {
    "first success": (Story(), ok(), "changed", "the key has no past; a success counts at once"),
    "definite": (connected(), failure("key_disabled", after(**HOUR)), "changed", "a definite answer counts at once"),
    "again": (connected(), ok(after(**HOUR)), "unchanged", "the key has this status already"),
    "ambiguous": (
        connected(),
        failure(UNSPECIFIED, after(**HOUR)),
        "pending",
        f"ambiguous answer 1 of 2 since {clock(after(**HOUR))}",
    ),
    "trouble": (connected(), failure("timeout", after(seconds=10)), "pending", "failed check 1 of 3"),
    "trouble on a first check": (
        Story(),
        failure("timeout"),
        "changed",
        "a key without a status gets this one at once",
    ),
    "trouble of a refused key": (
        refused(),
        failure("timeout", after(**HOUR)),
        "inconclusive",
        "never replaces a status",
    ),
    "silence": (
        refused(),
        ok(after(**HOUR), permissions={"read": True}),
        "unchanged",
        "does not report spot_trade, on which the status rests: silence is no recovery",
    ),
    "about something else": (connected(), failure("request_rejected", after(**HOUR)), "says_nothing", "something else"),
    "unknown": (connected(), failure("no such code", after(**HOUR)), "unclassified", "no rule knows this answer"),
    "repeated": (connected(), ok(), "duplicate", "under the same event_id"),
    "older": (connected(), ok(after(hours=-1)), "late", f"what happened until {clock(START)} is known"),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_the_memory_adds(name: str) -> None:
    story, payload, disposition, told = STORIES[name]
    path = explained(story, payload)
    assert path.disposition.value == disposition
    assert told in "; ".join(path.story)


def test_of_a_replaced_key() -> None:
    story = Story()
    story.ok(credential_version=2)
    path = explained(story, ok(after(**HOUR), credential_version=1))
    assert path.disposition.value == "superseded"
    assert "; ".join(path.story) == "the result is of credential 1; the key has 2 by now"


def test_from_the_future() -> None:
    entry = record(ok(after(hours=2)), at=START)
    path = explain_record(entry, None, NAMED_RULES, POLICY)
    assert path.disposition.value == "future"
    assert "a clock is wrong" in path.story[-1]


def test_memory_that_makes_an_answer_certain() -> None:
    """A bad signature alone is ambiguous; after the key's end date it means that the exchange deleted it."""
    story = Story()
    story.ok(expires_at=after(days=40))
    path = explained(story, failure("signature_mismatch", after(days=50)))
    assert path.row is not None
    assert (path.row.number, path.row.status, path.status_after) == ("4", Status.EXPIRED, Status.EXPIRED)
    assert path.story == ("what is remembered of the key makes this answer certain: it counts at once",)


# --- what would change it ---------------------------------------------------------------------------------------------


def test_a_second_ambiguous_answer_commits_from_the_time_that_is_told() -> None:
    first = failure(UNSPECIFIED, after(**HOUR))
    told = explained(connected(), first).would_change[0]
    earliest, latest = after(hours=1, seconds=POLICY.ambiguous_apart_s), after(hours=1 + 24)
    assert f"the last from {clock(earliest)} to {clock(latest)}: invalid" in told
    for moment, committed in ((earliest, True), (latest, True), (after(hours=1, seconds=59), False)):
        story = connected()
        story.check(first)
        story.fails(UNSPECIFIED, moment)
        assert (story.status == "invalid") is committed, moment


def test_trouble_commits_from_the_time_that_is_told() -> None:
    story = connected()
    story.fails("timeout", after(seconds=10))
    told = explained(story, failure("timeout", after(seconds=20))).would_change[0]
    assert told == f"1 more failed check, not before {clock(after(seconds=300))}: temporary_issue"
    story.fails("timeout", after(seconds=20))
    assert explained(story, failure("timeout", after(seconds=299))).status_after is Status.CONNECTED
    assert explained(story, failure("timeout", after(seconds=300))).status_after is Status.TEMPORARY_ISSUE


@pytest.mark.parametrize("error", ["key_not_found", UNSPECIFIED])
def test_the_grace_of_a_replaced_key_ends_when_it_is_told(error: str) -> None:
    story = connected()
    replaced = failure(error, after(**HOUR), credential_version=2)
    path = explained(story, replaced)
    ends = after(hours=1, seconds=POLICY.replaced_key_grace_s)
    assert path.disposition.value == "pending"
    assert path.row is not None
    assert path.row.status is Status.INVALID
    assert path.would_change[0] == f"such an answer at {clock(ends)} or later counts as usual"
    story.check(replaced)
    last = after(hours=1, seconds=POLICY.replaced_key_grace_s - 1)
    assert explained(story, failure(error, last, credential_version=2)).status_after is Status.CONNECTED
    assert explained(story, failure(error, ends, credential_version=2)).status_after is Status.INVALID


def test_a_key_that_was_replaced_long_ago_has_no_grace() -> None:
    story = Story(always={"credential_version": 2})
    story.ok(credential_version=1)
    story.ok(after(minutes=1))
    path = explained(story, failure(UNSPECIFIED, after(**HOUR), credential_version=2))
    assert path.disposition.value == "pending"
    assert path.story == (f"ambiguous answer 1 of 2 since {clock(after(**HOUR))}",)


ENDINGS: Mapping[str, tuple[dict[str, Any], str, dict[str, Any], str]] = {
    "incorrect permissions": (
        ok(permissions={"read": True, "spot_trade": False}),
        "a success with spot_trade true ends it",
        {"permissions": {"spot_trade": True}},
        "connected",
    ),
    "IP not allowed": (failure("ip_not_allowed"), "a success ends it", {}, "connected"),
    "withdrawal": (
        ok(permissions={"withdraw": True}),
        "a success with withdraw false ends it, or withdraw among required_permissions",
        {"permissions": {"withdraw": False}},
        "connected",
    ),
    "withdrawal that is wanted": (
        ok(permissions={"withdraw": True}),
        "withdraw among required_permissions",
        {"permissions": {"withdraw": True}, "required_permissions": ["read", "withdraw"]},
        "connected",
    ),
    "invalid": (failure("key_disabled"), "a success ends it at once", {}, "connected"),
    "trouble": (failure("maintenance"), "a success ends it at once", {}, "connected"),
    "expired": (
        failure("key_expired"),
        "a success with read and spot_trade true ends it",
        {"permissions": {"read": True, "spot_trade": True}},
        "connected",
    ),
    "expiring": (
        ok(expires_at=after(days=20)),
        "a success with no end date, or one more than 30 days away: connected",
        {"expires_at": after(days=40)},
        "connected",
    ),
    "futures permission": (
        ok(permissions={"futures_trade": False}, **SPEAKING_OF_FUTURES),
        "a success with futures_trade true ends it",
        {"permissions": {"futures_trade": True}, **SPEAKING_OF_FUTURES},
        "connected",
    ),
    "futures account": (
        ok(account={"futures_enabled": False}, **SPEAKING_OF_FUTURES),
        "a success with account.futures_enabled true ends it",
        {"account": {"futures_enabled": True}, **SPEAKING_OF_FUTURES},
        "connected",
    ),
    "connected": (ok(), "a definite refusal ends it at once", {"reported_state": "frozen"}, "invalid"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_is_told_to_end_a_status_ends_it(name: str) -> None:
    payload, told, then, status = ENDINGS[name]
    assert any(told in sentence for sentence in explained(Story(), payload).would_change)
    story = Story()
    story.check(payload)
    story.ok(after(**HOUR), **then)
    assert story.status == status


def test_deadlines_are_told() -> None:
    path = explained(Story(), ok(expires_at=after(days=90)))
    assert path.would_change[-1] == f"at {clock(after(days=60))}, without any result: expiring"


# --- the command ------------------------------------------------------------------------------------------------------

REFUSED = check_result(
    outcome="error",
    permissions={},
    error={
        "message": 'binance {"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}',
        "http_status": 401,
        "endpoint": "/sapi/v1/account/apiRestrictions",
        "ccxt_class": "AuthenticationError",
    },
)


def test_in_words() -> None:
    done = run("explain", given=as_lines(REFUSED))
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    for part in (
        "binance-001 at binance, checked 2026-11-24 12:00:00 UTC",
        '-2015  (JSON in error.message, at "code")',
        "401  (field error.http_status)",
        "decides  binance.invalid_key_ip_or_permission, tier 4 (code)",
        "because  code is -2015",
        "https://github.com/binance/binance-spot-api-docs",
        "beaten   defaults.http_unauthorized, tier 7 (HTTP status)",
        "row 5  refused: the key does not exist or cannot be used",
        "ambiguous answer 1 of 2",
        "before  none",
        "after   none  (pending)",
        "1 more ambiguous answer of any kind, the last from 2026-11-24 12:01:00 UTC",
    ):
        assert part in text


def test_as_json() -> None:
    """One object, with the same steps."""
    (told,) = objects(run("explain", "--json", given=json.dumps(REFUSED, indent=2).encode()).stdout)
    assert told.keys() == set(Explanation.model_fields)
    assert told["rule"]["rule"] == "binance.invalid_key_ip_or_permission"
    assert told["rule"]["held"] == {"code": "-2015"}
    assert [rule["tier"] for rule in told["other_tiers"]] == [7, 8]
    assert (told["row"]["number"], told["row"]["status"]) == ("5", "invalid")
    assert (told["disposition"], told["status_after"]) == ("pending", None)


def test_a_success_shows_its_facts() -> None:
    text = run("explain", given=as_lines(check_result(permissions={"withdraw": True}))).stdout.decode()
    assert "withdraw       true  (field permissions.withdraw)" in text
    assert "row 6  may withdraw" in text
    assert "after   withdrawal_enabled: the key may withdraw funds  (changed)" in text
    assert "to do   switch the withdrawal permission off" in text


def test_an_unknown_answer() -> None:
    unknown = check_result(outcome="error", error={"code": "no such code"})
    text = run("explain", given=as_lines(unknown)).stdout.decode()
    assert "none holds: unclassified" in text
    assert "docs/catalogue.md" in text


def public_state(**fields: Any) -> dict[str, Any]:
    """A key state as `show --json` prints it: without the worker's memory."""
    story = Story(always={"key_id": "key-1"})
    story.ok()
    assert story.state is not None
    return json.loads(story.state.model_dump_json(exclude={"progress"})) | fields


def test_with_a_state_of_show(tmp_path: Path) -> None:
    """Also one whose result is of a replaced key: it is taken to be the same one."""
    file = tmp_path / "state.json"
    file.write_text(json.dumps(public_state()))
    payload = check_result(
        key_id="key-1", checked_at=after(**HOUR).isoformat(), outcome="error", error={"code": "-1022"}
    )
    for version in (1, 3):
        given = as_lines(payload | {"credential_version": version})
        (told,) = objects(run("explain", "--state", str(file), "--json", given=given).stdout)
        assert (told["status_before"], told["status_after"], told["disposition"]) == (
            "connected",
            "connected",
            "pending",
        )
        assert told["story"] == [f"ambiguous answer 1 of 2 since {clock(after(**HOUR))}"]


def test_with_a_state_of_the_topic(tmp_path: Path) -> None:
    """With the worker's memory the second answer counts."""
    story = connected()
    story.fails(UNSPECIFIED, after(**HOUR))
    assert story.state is not None
    result = tmp_path / "result.json"
    payload = check_result(
        key_id="key-1", checked_at=after(hours=2).isoformat(), outcome="error", error={"code": "-1022"}
    )
    result.write_text(json.dumps(payload))
    given = story.state.model_dump_json().encode()
    (told,) = objects(run("explain", str(result), "--state", "-", "--json", given=given).stdout)
    assert (told["status_before"], told["status_after"]) == ("connected", "invalid")
    assert told["story"] == [f"ambiguous answer 2 since {clock(after(**HOUR))}: 2 are enough, 60 s apart"]


UNREADABLE: Mapping[str, str] = {
    "malformed_json": "{broken",
    "secret_in_payload": json.dumps(check_result() | {"api_secret": "not-a-real-key"}),
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_a_record_that_cannot_be_read(reason: str) -> None:
    done = run("explain", given=as_lines(UNREADABLE[reason]))
    assert done.returncode == 0
    assert f"it cannot be read and becomes a dead letter: {reason}" in done.stdout.decode()
    assert b"not-a-real-key" not in done.stdout


def test_a_removal_has_no_answer() -> None:
    text = run("explain", given=as_lines({"key": "k", "value": None})).stdout.decode()
    assert "a deadline or a removal" in text


@pytest.mark.parametrize(
    ("arguments", "given", "told"),
    [
        pytest.param((), b"", "nothing to explain", id="nothing"),
        pytest.param((), as_lines(REFUSED, REFUSED), "2 lines", id="two results"),
        pytest.param(("no/such/file",), b"", "no/such/file", id="no such file"),
        pytest.param(("-", "--state", "-"), b"{}", "name a file", id="both from standard input"),
        pytest.param(("--state", "no/such/state"), as_lines(REFUSED), "no/such/state", id="no such state"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], given: bytes, told: str) -> None:
    done = run("explain", *arguments, given=given)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in error_line(done)


@pytest.mark.parametrize(
    ("content", "told"), [("{", "not JSON"), ("[]", "an object"), ('{"status": "connected"}', "change_id")]
)
def test_a_file_that_is_no_state(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(content)
    done = run("explain", "--state", str(file), given=as_lines(REFUSED))
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in error_line(done)
    assert "show --json" in error_line(done)
