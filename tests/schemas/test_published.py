"""The published JSON Schemas: fresh, sound, and of the same opinion as the models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.contract import Contract
from schemas.dead_letter import DeadLetterHeaders
from schemas.notice import Notice
from schemas.published import CONTRACTS, DIRECTORY, MODES, documents, main, stale, write
from tests.factories import START, Story, after, deadline, failure, ok

EVIDENCE = {
    "event_id": None,
    "error_type": None,
    "code": None,
    "rule": None,
    "topic": "apikey.check-results",
    "partition": 0,
    "offset": 7,
}
NOTICE = {
    "notice_id": "notice-1",
    "key_id": "key-1",
    "account_id": None,
    "exchange": "binance",
    "kind": "expiry_reminder",
    "status": "expiring",
    "expires_at": after(days=7).isoformat(),
    "days_left": 7,
    "noticed_at": START.isoformat(),
    "evidence": EVIDENCE,
}
ABOUT_EXCHANGE = {
    **NOTICE,
    "key_id": None,
    "kind": "incident_opened",
    "status": None,
    "expires_at": None,
    "days_left": None,
    "keys_in_trouble": 20,
    "keys_checked": 40,
}
HEADERS = {
    "__streams.errors.exception": "keystatus.invalid",
    "__streams.errors.message": "key_id: Field required",
    "__streams.errors.topic": "apikey.check-results",
    "__streams.errors.partition": "0",
    "__streams.errors.offset": "7",
    "keystatus.reason": "invalid",
}


def written(output: Contract | None) -> dict[str, Any]:
    """An output as a subscriber reads it."""
    assert output is not None
    return dict(json.loads(output.model_dump_json(by_alias=True)))


def a_story() -> Story:
    story = Story()
    story.ok(expires_at=after(days=40))
    return story


def reminded() -> Story:
    story = Story(always={"exchange": "bybit", "ip_restricted": False})
    story.ok()
    story.lives_until(after(days=76))
    return story


CHANGE = written(a_story().decisions[0].change)
STATE = written(a_story().state)

GOOD = [
    pytest.param("check-result", ok(), id="a check that succeeded"),
    pytest.param("check-result", failure("timeout"), id="a check that failed"),
    pytest.param("check-result", ok(expires_at=START, reported_state="normal", new="x"), id="a check with more fields"),
    pytest.param("deadline", deadline("expiry", START), id="a deadline"),
    pytest.param("status-change", CHANGE, id="a change by a check"),
    pytest.param("status-change", written(a_story().falls_due().change), id="a change by a deadline"),
    pytest.param("status-change", written(a_story().removed().change), id="a change by a removal"),
    pytest.param("key-state", STATE, id="a state"),
    pytest.param("key-state", written(Story().fails("signature_mismatch").state), id="a state without a status"),
    pytest.param("notice", NOTICE, id="a notice of a worker that knew less fields"),
    pytest.param("notice", ABOUT_EXCHANGE, id="a notice about an exchange"),
    pytest.param("notice", written(reminded().notices[0]), id="a reminder"),
    pytest.param("key-state", written(reminded().state), id="a state that remembers a reminder and a computed end"),
    pytest.param("deadline", deadline("settled", START), id="a deadline of another kind"),
    pytest.param("dead-letter-headers", HEADERS, id="the headers of a dead letter"),
]

BAD = [
    pytest.param("check-result", {}, id="a check without its fields"),
    pytest.param("check-result", ok(key_id="a b"), id="a check of a key with a blank"),
    pytest.param("check-result", ok(outcome="maybe"), id="a check with an unknown outcome"),
    pytest.param("check-result", ok(outcome="error"), id="a failed check without its error"),
    pytest.param("check-result", ok(outcome="error", error=None), id="a failed check whose error is null"),
    pytest.param("check-result", ok(schema_version=2), id="a check of another version"),
    pytest.param("check-result", ok(credential_version=0), id="a check of credential 0"),
    pytest.param("check-result", ok(permissions={"read": "yes"}), id="a check with a permission as text"),
    pytest.param("check-result", ok(required_permissions=["fly"]), id="a check that requires an unknown permission"),
    pytest.param("check-result", failure("timeout", error={"code": -2015}), id="a check with a number as code"),
    pytest.param("check-result", deadline("expiry", START), id="a deadline as a check"),
    pytest.param("deadline", ok(), id="a check as a deadline"),
    pytest.param("deadline", deadline("lunch", START), id="a deadline of an unknown kind"),
    pytest.param("status-change", CHANGE | {"sequence": 0}, id="a change without a number"),
    pytest.param("status-change", CHANGE | {"status": "fine"}, id="a change to an unknown status"),
    pytest.param("status-change", CHANGE | {"severity": None}, id="a change without severity"),
    pytest.param("status-change", STATE | {"evidence": None}, id="a change without evidence"),
    pytest.param("key-state", STATE | {"sequence": -1}, id="a state with a negative number"),
    pytest.param("key-state", {**STATE, "progress": None}, id="a state without progress"),
    pytest.param("notice", NOTICE | {"kind": "gossip"}, id="a notice of an unknown kind"),
    pytest.param("notice", NOTICE | {"evidence": {**EVIDENCE, "offset": -1}}, id="a notice with a negative offset"),
    pytest.param("dead-letter-headers", HEADERS | {"keystatus.reason": "bored"}, id="headers with an unknown reason"),
    pytest.param("dead-letter-headers", HEADERS | {"__streams.errors.offset": "x"}, id="headers with a word as offset"),
]


def schema(name: str, mode: str) -> Mapping[str, Any]:
    return dict(json.loads((DIRECTORY / f"{name}.{mode}.schema.json").read_text(encoding="utf-8")))


def test_the_committed_files_are_fresh() -> None:
    assert stale(DIRECTORY) == []


def test_every_contract_is_published_in_both_directions() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == {
        f"{name}.{mode}.schema.json" for name in CONTRACTS for mode in ("validation", "serialization")
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CONTRACTS)
def test_a_schema_is_sound_and_says_what_it_is(name: str, mode: str) -> None:
    published = schema(name, mode)
    Draft202012Validator.check_schema(published)
    assert published["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert published["$id"] == f"urn:keystatus:schema:{name}:1:{mode}"
    assert published["title"] == CONTRACTS[name].__name__


@pytest.mark.parametrize(("name", "example"), GOOD)
def test_a_good_example_is_valid_for_the_schema_and_the_model(name: str, example: dict[str, Any]) -> None:
    assert list(Draft202012Validator(schema(name, "validation")).iter_errors(example)) == []
    CONTRACTS[name].model_validate_json(json.dumps(example))


@pytest.mark.parametrize(("name", "example"), BAD)
def test_a_bad_example_is_valid_for_neither(name: str, example: dict[str, Any]) -> None:
    assert not Draft202012Validator(schema(name, "validation")).is_valid(example)
    with pytest.raises(ValidationError):
        CONTRACTS[name].model_validate_json(json.dumps(example))


@pytest.mark.parametrize(("name", "example"), GOOD)
def test_what_we_write_is_valid_for_the_schema_of_what_we_write(name: str, example: dict[str, Any]) -> None:
    output = written(CONTRACTS[name].model_validate_json(json.dumps(example)))
    assert list(Draft202012Validator(schema(name, "serialization")).iter_errors(output)) == []


@pytest.mark.parametrize("model", [Notice, DeadLetterHeaders])
def test_every_field_of_an_output_is_required_of_a_writer(model: type[Contract]) -> None:
    published = model.model_json_schema(mode="serialization")
    assert set(published["required"]) == set(published["properties"])


def test_a_reader_s_schema_lets_new_fields_pass() -> None:
    """Old readers bear new writers."""
    assert not any("additionalProperties" in text for text in documents().values())


def test_check_names_what_is_stale_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    (tmp_path / "notice.validation.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "deadline.validation.schema.json").unlink()
    (tmp_path / "old.schema.json").write_text("{}", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert main(["--check"], tmp_path) == 1
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["deadline.validation.schema.json", "notice.validation.schema.json", "old.schema.json"]
    assert sorted(tmp_path.iterdir()) == before


def test_writing_makes_everything_fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.schema.json").write_text("{}", encoding="utf-8")
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert capsys.readouterr().out == ""
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == documents()
