"""docs/connector.md is right: its file loads, its program runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.check_result import CheckResult
from schemas.vocabulary import Outcome
from streams.connector.config import Pace, load_config
from tests.cli.command import ROOT, run
from tests.connector import answers
from tests.connector.exchange import Reply, client_of, serving

PAGE = (ROOT / "docs" / "connector.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_loads_and_its_defaults_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = blocks("toml")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "kraken-7").write_text("not-a-real-secret")
    for name in ("KRAKEN_7_KEY", "OKX_3_KEY", "OKX_3_SECRET", "OKX_3_PASSPHRASE"):
        monkeypatch.setenv(name, "not-a-real-key")
    path = tmp_path / "connector.toml"
    path.write_text(text)
    config, keys = load_config(path)
    assert config.defaults == Pace()
    assert [held.entry.key_id for held in keys] == ["kraken-7", "okx-3"]


class Producer:
    """Stands in for aiokafka's."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes) -> None:
        self.sent.append((topic, key, value))


async def test_the_program_runs() -> None:
    (text,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(text, "docs/connector.md", "exec"), names)  # noqa: S102 - our own page
    producer = Producer()
    replies = {"/v5/user/query-api": Reply(answers.BYBIT_BOUND)}
    async with serving(**replies) as server, client_of("bybit", server.url) as client:
        await names["check_and_publish"](client, producer)
    ((topic, key, value),) = producer.sent
    result = CheckResult.model_validate_json(value)
    assert (topic, key, result.key_id, result.outcome) == (
        "apikey.check-results",
        b"bybit-12",
        "bybit-12",
        Outcome.OK,
    )


def test_the_command_is_as_described() -> None:
    told = run("connector", "--help").stdout.decode()
    assert "--config" in told
    assert "--once" in told
