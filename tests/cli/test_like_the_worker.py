"""`publish`, a worker and `tail` on one side, `simulate` on the other: the same bytes."""

import pytest

from streams.settings import Settings
from tests.cli.command import as_lines, check_result, environment, interrupt, objects, run, running

pytestmark = pytest.mark.kafka


def test_the_worker_writes_what_simulate_prints(settings: Settings) -> None:
    """The same keys, values and order for each key: ids, partitions and offsets too."""
    refused = {"outcome": "error", "error": {"code": "-2015", "message": "Invalid API-key, IP, or permissions."}}
    lines = as_lines(
        *(
            check_result(
                key_id=f"key-{number % 20}",
                event_id=f"e-{number}",
                checked_at=f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z",
                **(refused if number % 7 < 3 else {}),
            )
            for number in range(400)
        )
    )
    env = environment(settings, KEYSTATUS_WEB_PORT="0")
    expected = objects(run("simulate", given=lines, env=env).stdout)
    assert len({line["value"]["status"] for line in expected}) > 1
    with running("worker", env=env) as worker:
        assert run("publish", "-", given=lines, env=env).returncode == 0
        limit = str(len(expected))
        written = objects(run("tail", "--json", "--from-beginning", "--limit", limit, env=env).stdout)
        assert interrupt(worker) == 0
    place = "{partition}/{offset}".format_map
    assert {place(value["evidence"]): value for value in written} == {
        place(line["value"]["evidence"]): line["value"] for line in expected
    }
