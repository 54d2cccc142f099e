"""The path from one check result to its key's status, told step by step.

Nothing is decided here. What is told is read off the rules that hold and off the core's own Decision, so that it is
what the worker does with the same record, state, rules and policy. The sentences about the key's memory, and about what
would change the outcome, stand in `streams.outlook`.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from schemas.check_result import CheckResult, ExchangeError
from schemas.contract import evolve
from schemas.key_state import KeyState
from schemas.status_change import Issue
from schemas.vocabulary import Certainty, ErrorType, Outcome, Reason, Remedy, Status
from streams.core.classify import Reading, candidates, classify, find_body, first_at, holds, rank, read_answer
from streams.core.decide import decide
from streams.core.decision import Decision
from streams.core.decision_table import ROWS
from streams.core.decode import decode
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from streams.core.record import Record
from streams.core.rules import Answer, Rule, RuleSet, Tier, fold
from streams.outlook import Outlook, outlook, story

#: What a rule of each tier asks for. Complete; a test says so.
TIERS: Final[Mapping[Tier, str]] = {
    Tier.CODE_MESSAGE: "code and message",
    Tier.CODE_HTTP: "code and HTTP status",
    Tier.CODE_ENDPOINT: "code and endpoint",
    Tier.CODE: "code",
    Tier.MESSAGE: "message",
    Tier.HTTP_CLASS: "HTTP status and ccxt class",
    Tier.HTTP: "HTTP status",
    Tier.CLASS: "ccxt class",
    Tier.UNCLASSIFIED: "nothing",
}

#: Name and words of each row of the decision table, from the functions that decide.
_ROWS: Final = {
    row: (ask.__name__.replace("_", " "), " ".join((ask.__doc__ or "").split()).removeprefix(f"Row {row}: "))
    for row, ask in ROWS
}


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Read(_Told):
    """One thing that was read in the check result, and where it stood."""

    name: str
    value: str
    place: str


class Speaker(_Told):
    """A rule that holds, first in its tier. `held` has each condition with the alternative that was met."""

    rule: str
    tier: int
    conditions: str
    held: Mapping[str, str]
    error_type: ErrorType
    certainty: Certainty
    meaning: str
    source: str
    checked: date


class Row(_Told):
    """The first row of the decision table that holds, and what it says with the memory of this key."""

    number: str
    name: str
    words: str
    status: Status
    reason: Reason
    further_issues: tuple[Issue, ...]


class Explanation(_Told):
    """The whole path. Of a record that is no check result, only `disposition` and `story` tell anything."""

    key_id: str | None = None
    exchange: str | None = None
    checked_at: datetime | None = None
    read: tuple[Read, ...] = ()
    rule: Speaker | None = None
    other_tiers: tuple[Speaker, ...] = ()
    error_type: ErrorType | None = None
    certainty: Certainty | None = None
    row: Row | None = None
    status_before: Status | None = None
    disposition: Disposition
    story: tuple[str, ...]
    status_after: Status | None = None
    reason: Reason | None = None
    remedy: Remedy | None = None
    would_change: tuple[str, ...] = ()


def explain_record(record: Record, state: KeyState | None, rules: RuleSet, policy: Policy) -> Explanation:
    """The path of one record against its key's state (None: never seen). Total over any bytes."""
    decision = decide(record, state, rules, policy)
    result = decode(record)
    if not isinstance(result, CheckResult):
        return _no_check_result(decision, state)
    verdict = classify(result, rules)
    speakers = tuple(_speakers(result, rules))
    row = _row(record, state, decision, rules, policy)
    after = decision.state if decision.touched else state
    seen = Outlook(
        result, verdict, decision, state, after, None if row is None else row.status, policy.of(result.exchange)
    )
    return Explanation(
        key_id=result.key_id,
        exchange=result.exchange,
        checked_at=result.checked_at,
        read=tuple(_reads(result, rules.of(result.exchange).answer)),
        rule=speakers[0] if speakers else None,
        other_tiers=speakers[1:],
        error_type=verdict.error_type,
        certainty=verdict.certainty,
        row=row,
        status_before=None if state is None else state.status,
        disposition=decision.disposition,
        story=tuple(story(seen)),
        status_after=None if after is None else after.status,
        reason=None if after is None else after.reason,
        remedy=None if after is None else after.remedy,
        would_change=tuple(outlook(seen)),
    )


def _no_check_result(decision: Decision, state: KeyState | None) -> Explanation:
    letter = decision.dead_letter
    told = "a deadline or a removal: no exchange has answered anything"
    if letter is not None:
        told = f"it cannot be read and becomes a dead letter: {letter.reason}: {letter.message}"
    held = None if state is None else state.status
    return Explanation(disposition=decision.disposition, story=(told,), status_before=held, status_after=held)


# --- what was read ----------------------------------------------------------------------------------------------------


def _reads(result: CheckResult, answer: Answer) -> Iterator[Read]:
    """Everything in the result that can count, in the order in which it is asked for; what is null is left out."""
    if result.outcome is Outcome.ERROR and result.error is not None:
        yield from _answer_reads(result.error, answer)
    facts = {
        **{f"permissions.{name}": value for name, value in result.permissions.__dict__.items()},
        **{f"account.{name}": value for name, value in result.account.__dict__.items()},
        "ip_restricted": result.ip_restricted,
        "expires_at": result.expires_at,
        "reported_state": result.reported_state,
    }
    for name, value in facts.items():
        if value is not None:
            yield Read(name=name.rpartition(".")[2], value=_as_text(value), place=f"field {name}")


def _answer_reads(error: ExchangeError, answer: Answer) -> Iterator[Read]:
    message = error.message or ""
    body, is_page = find_body(message)
    if error.code:
        yield Read(name="code", value=error.code, place="field error.code")
    if body is not None:
        for name, paths in (("code", answer.code), ("message", answer.message)):
            path = next((path for path in paths if first_at(body, (path,))), None)
            if path is not None:
                yield Read(name=name, value=first_at(body, (path,)), place=f'JSON in error.message, at "{path}"')
    elif message:
        what = "a web page, not the exchange's own answer" if is_page else "read as a code too"
        yield Read(name="message", value=message, place=f"field error.message, {what}")
    others = {"HTTP status": "http_status", "endpoint": "endpoint", "ccxt class": "ccxt_class"}
    for name, field in others.items():
        value = getattr(error, field)
        if value is not None:
            yield Read(name=name, value=str(value), place=f"field error.{field}")


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- which rules hold -------------------------------------------------------------------------------------------------


def _speakers(result: CheckResult, rules: RuleSet) -> Iterator[Speaker]:
    """The rule that goes first in each tier, the one that decides in front; none for a success."""
    if result.outcome is Outcome.OK or result.error is None:
        return
    own = rules.of(result.exchange)
    reading = read_answer(result.error, result.exchange, own.answer)
    first: dict[Tier, Rule] = {}
    for group in candidates(reading, own, rules.defaults):
        for rule in sorted((rule for rule in group if holds(rule, reading)), key=lambda rule: rank(rule, reading)):
            first.setdefault(rule.tier, rule)
    for tier in sorted(first):
        yield _speaker(first[tier], reading)


def _speaker(rule: Rule, reading: Reading) -> Speaker:
    return Speaker(
        rule=rule.id,
        tier=rule.tier.value,
        conditions=TIERS[rule.tier],
        held=dict(_held(rule, reading)),
        error_type=rule.error_type,
        certainty=rule.certainty,
        meaning=rule.meaning,
        source=rule.source,
        checked=rule.checked,
    )


def _held(rule: Rule, reading: Reading) -> Iterator[tuple[str, str]]:
    """Each condition of a rule that holds, with the alternative that was met, as the rule writes it."""
    met = {
        "code": [code for code in rule.code if fold(code) in reading.codes],
        "message": sorted((text for text in rule.message if fold(text) in reading.text), key=len, reverse=True),
        "HTTP status": [str(status) for status in rule.http if status == reading.http],
        "endpoint": [part for part in rule.endpoint if part in reading.endpoint],
        "ccxt class": [name for name in rule.ccxt_class if name == reading.ccxt_class],
    }
    for name, alternatives in met.items():
        if alternatives:
            yield name, alternatives[0]


# --- which row holds --------------------------------------------------------------------------------------------------


def _row(record: Record, state: KeyState | None, decision: Decision, rules: RuleSet, policy: Policy) -> Row | None:
    """The row that the Decision names, with its status and reason; None when no row was asked, or none holds.

    A Decision tells these only when it changes the status. Otherwise the same record is decided for a key with the
    same memory and no status yet, which commits, or begins to count, whatever the row says.
    """
    if decision.row is None or decision.verdict is None:
        return None
    told = decision
    if told.change is None and state is not None:
        told = decide(record, evolve(state, {"status": None, "issues": ()}), rules, policy)
    status, reason, issues = _finding(told)
    name, words = _ROWS.get(decision.row, ("", ""))
    return Row(number=decision.row, name=name, words=words, status=status, reason=reason, further_issues=issues)


def _finding(decision: Decision) -> tuple[Status, Reason, tuple[Issue, ...]]:
    """Status, reason and further issues that a Decision about a key without a status commits or begins to count."""
    change, state, verdict = decision.change, decision.state, decision.verdict
    if change is not None and change.status is not None:
        return change.status, change.reason, change.issues[1:]
    doubt = None if state is None else state.progress.ambiguous
    if doubt is not None:
        return doubt.status, doubt.reason, ()
    # Held back although definite: the grace of a replaced key, which only refusals that make it invalid are given.
    return Status.INVALID, Reason(str(None if verdict is None else verdict.error_type)), ()
