"""What is written for a decision: bytes, headers, order."""

import json

from schemas.notice import Notice
from schemas.vocabulary import NoticeKind
from streams.core.decide import decide
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.topics import Topics
from streams.worker.outputs import Outputs
from tests.factories import KEY, NAMED_RULES, START, after, ok, record

TOPICS = Topics.named("apikey")


def outputs_of(*records: LogRecord) -> Outputs:
    """The outputs of a log of the one key."""
    outputs, state = Outputs(), None
    for entry in records:
        decision = decide(entry, state, NAMED_RULES, Policy())
        state = decision.state if decision.touched else state
        outputs.add(entry, decision)
    outputs.seal()
    return outputs


def test_changes_and_dead_letters_stand_before_the_states() -> None:
    outputs = outputs_of(record(ok()), record(b"{broken", offset=1))
    assert [topic for topic, _ in outputs.by_topic(TOPICS)] == [
        "apikey.status-changes",
        "apikey.dead-letters",
        "apikey.status",
    ]


def test_a_topic_without_outputs_is_left_out() -> None:
    outputs = outputs_of(record(ok()), record(ok(), offset=1))
    assert [topic for topic, _ in outputs.by_topic(TOPICS)] == ["apikey.status-changes", "apikey.status"]


def test_of_several_states_of_a_key_only_the_last_is_written() -> None:
    outputs = outputs_of(record(ok()), record(ok(after(hours=1), event_id="second"), offset=1))
    written = dict(outputs.by_topic(TOPICS))["apikey.status"]
    assert [json.loads(output.value)["observed_at"] for output in written] == ["2026-03-01T13:00:00Z"]


def test_a_removal_is_a_tombstone_in_the_states_and_a_change() -> None:
    outputs = outputs_of(record(ok()), record(None, offset=1))
    written = dict(outputs.by_topic(TOPICS))
    assert written["apikey.status"][0].value is None
    assert json.loads(written["apikey.status-changes"][1].value)["status"] is None


def test_a_change_is_a_cloud_event_under_its_key_with_the_time_of_its_record() -> None:
    (change,) = dict(outputs_of(record(ok())).by_topic(TOPICS))["apikey.status-changes"]
    headers = dict(change.headers)
    assert change.key == KEY.encode()
    assert change.timestamp == int(START.timestamp() * 1_000)
    assert headers["ce_id"].decode() == json.loads(change.value)["change_id"]
    assert {name: headers[name] for name in ("ce_specversion", "ce_type", "ce_source", "ce_subject", "ce_time")} == {
        "ce_specversion": b"1.0",
        "ce_type": b"keystatus.status.changed",
        "ce_source": b"/keystatus/apikey.check-results",
        "ce_subject": KEY.encode(),
        "ce_time": b"2026-03-01T12:00:00+00:00",
    }
    assert headers["content-type"] == b"application/json"


def test_a_dead_letter_keeps_key_value_and_headers_and_tells_where_it_stood() -> None:
    poison = LogRecord("apikey.check-results", 3, 17, 99, b"k", b"{broken", (("trace", b"1"),))
    (letter,) = dict(outputs_of(poison).by_topic(TOPICS))["apikey.dead-letters"]
    assert (letter.key, letter.value, letter.timestamp) == (b"k", b"{broken", 99)
    headers = dict(letter.headers)
    assert headers.pop("__streams.errors.message").startswith(b"not JSON")
    assert headers == {
        "trace": b"1",
        "__streams.errors.exception": b"keystatus.malformed_json",
        "__streams.errors.topic": b"apikey.check-results",
        "__streams.errors.partition": b"3",
        "__streams.errors.offset": b"17",
        "keystatus.reason": b"malformed_json",
    }


def test_equal_logs_give_equal_bytes() -> None:
    log = [record(ok()), record(b"{broken", offset=1), record(ok(after(hours=1)), offset=2)]
    first, second = (list(outputs_of(*log).by_topic(TOPICS)) for _ in range(2))
    assert first == second


def test_a_notice_is_a_cloud_event_behind_the_changes() -> None:
    entry = record(ok())
    decision = decide(entry, None, NAMED_RULES, Policy())
    change = decision.change
    assert change is not None
    notice = Notice(
        notice_id="n-1",
        key_id=KEY,
        account_id=None,
        exchange="binance",
        kind=NoticeKind.STALE,
        status=change.status,
        expires_at=None,
        days_left=None,
        noticed_at=START,
        evidence=change.evidence,
    )
    outputs = Outputs()
    outputs.add(entry, decision._replace(notices=(notice,)))
    outputs.seal()
    written = dict(outputs.by_topic(TOPICS))
    assert list(written) == ["apikey.status-changes", "apikey.notices", "apikey.status"]
    (told,) = written["apikey.notices"]
    assert (told.key, told.value) == (KEY.encode(), notice.model_dump_json().encode())
    assert dict(told.headers)["ce_type"] == b"keystatus.notice"
    assert dict(told.headers)["ce_id"] == b"n-1"
