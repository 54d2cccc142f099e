"""The settings of the local Kafka, and what its log says about a crashed broker."""

from pathlib import Path

import pytest

from streams.localkafka.java import Java
from streams.localkafka.settings import broker_is_fenced, broker_properties, java_options

LOOK = "Completing read-only operation maybeFenceStaleBroker(17) immediately because the purgatory is empty.\n"
FENCING = "Fencing broker 1 at epoch 37 because its session has timed out.\n"


@pytest.mark.parametrize(
    ("log", "is_fenced"),
    [
        ("", False),
        (LOOK, False),
        (LOOK + FENCING, False),  # not stored yet
        (LOOK + FENCING + LOOK, True),
        (LOOK * 40, True),  # there was nothing to fence
    ],
)
def test_a_broker_is_fenced_when_that_is_stored(log: str, *, is_fenced: bool) -> None:
    assert broker_is_fenced(log) is is_fenced


def test_overrides_replace_settings_and_are_written_in_ascii() -> None:
    lines = broker_properties(1, 2, {"broker.rack": "a\\b\né", "auto.create.topics.enable": "true"}).splitlines()
    assert "broker.rack=a\\\\b\\n\\u00e9" in lines
    assert [line for line in lines if line.startswith("auto.create")] == ["auto.create.topics.enable=true"]


@pytest.mark.parametrize(("major", "is_given"), [(17, False), (23, False), (24, True), (25, True)])
def test_options_that_java_17_does_not_know_are_for_later_ones(major: int, *, is_given: bool) -> None:
    options = java_options(Java(Path("java"), major), heap_mb=96)
    assert ("--sun-misc-unsafe-memory-access=allow" in options) is is_given
    assert "-Xmx96m" in options
