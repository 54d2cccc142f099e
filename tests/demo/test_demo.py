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


@pytest.mark.parametrize("variable", ["DEMO_SECONDS", "KEYSTATUS_PARTITIONS"])
def test_a_bad_variable_is_told_in_one_line(variable: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "streams.demo"],
        env=os.environ | {variable: "soon"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("demo: ")
    assert len(ended.stderr.splitlines()) == 1
    assert variable in ended.stderr


@pytest.mark.kafka
def test_the_demo_ends_by_itself_with_every_documented_status() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "streams.demo"],
        env=os.environ | {"DEMO_SECONDS": "12"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keys = len(expectations(ANSWERS))
    text = " ".join(ended.stdout.split())
    assert f"{len(ANSWERS)} documented answers" in text
    assert f"{keys} of {keys} keys have the status that the documentation asks for" in text
    assert "/metrics" in text
    told = Counter(word for word in text.split() if word in set(Status))
    assert set(told) == set(Status)
