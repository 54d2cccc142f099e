"""The demo, as `make demo` runs it: real Kafka, real worker, documented answers."""

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest

from schemas.vocabulary import Status
from streams.demo.answers import documented_answers, expectations

ANSWERS = documented_answers(datetime.now(UTC))


def test_the_answers_are_many_and_reach_every_status() -> None:
    assert len(ANSWERS) >= 80
    assert len({answer.result.exchange for answer in ANSWERS}) >= 9
    assert set(Status) - set(expectations(ANSWERS).values()) == set()


def test_every_answer_names_its_source() -> None:
    assert [answer.title for answer in ANSWERS if not answer.source] == []


def demo(**variables: str) -> subprocess.CompletedProcess[str]:
    """The demo from start to end, with these variables set."""
    return subprocess.run(
        [sys.executable, "-m", "streams.demo"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEMO_SECONDS", "soon"),
        ("DEMO_SECONDS", "nan"),
        ("DEMO_SECONDS", "-1"),
        ("KEYSTATUS_PARTITIONS", "soon"),
        ("KEYSTATUS_WEB_TOKEN_FILE", "no/such/file"),
    ],
)
def test_a_bad_variable_is_told_in_one_line_before_anything_starts(variable: str, value: str) -> None:
    # Standard output begins with "Starting a local Apache Kafka": nothing there, nothing started.
    ended = demo(**{variable: value})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("demo: ")
    assert len(ended.stderr.splitlines()) == 1
    assert variable in ended.stderr


@pytest.mark.kafka
def test_the_callers_own_installation_is_left_out_of_it() -> None:
    """Each of these would end the demo, or let it wait for ever, if it were taken over."""
    ended = demo(
        DEMO_SECONDS="1",
        KEYSTATUS_KAFKA_SECURITY_PROTOCOL="SSL",
        KEYSTATUS_REPLICATION_FACTOR="3",
        KEYSTATUS_POLICY_FILE="no/such/policy",
        KEYSTATUS_TOPIC_PREFIX="production",
        keystatus_log_level="error",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.kafka
def test_the_demo_ends_by_itself_with_every_documented_status() -> None:
    ended = demo(DEMO_SECONDS="12")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keys = len(expectations(ANSWERS))
    text = " ".join(ended.stdout.split())
    assert f"{len(ANSWERS)} documented answers" in text
    assert f"{keys} of {keys} keys have the status that the documentation asks for" in text
    assert "/metrics" in text
    told = Counter(word for word in text.split() if word in set(Status))
    assert set(told) == set(Status)
