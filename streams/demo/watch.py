"""What the demo shows, gathered from the outside: the worker's metrics and its topics."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from pydantic_core import from_json
from rich.text import Text

from streams.cli.tail import as_text
from streams.settings import Settings
from streams.subscriber import follow
from streams.topics import Role

_LATEST: Final = 12
_LOOK_EVERY_S: Final = 0.5


@dataclass
class Watch:
    """The worker as a subscriber and a Prometheus see it."""

    address: str
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    results: int = 0
    results_per_s: float = 0.0
    lag: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, str | None] = field(default_factory=dict)
    latest: deque[Text] = field(default_factory=lambda: deque(maxlen=_LATEST))
    following: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow_changes(self, settings: Settings) -> None:
        """Take note of every change, for ever."""
        changes = follow(settings, [Role.STATUS_CHANGES], from_beginning=True, when_ready=self.following.set)
        async for record in changes:
            change = from_json(record.value or b"{}")
            self.statuses[change["key_id"]] = change["status"]
            self.changes[change["status"] or "removed"] += 1
            self.latest.append(as_text(record.value))

    async def follow_metrics(self) -> None:
        """Scrape the worker twice a second, for ever."""
        loop = asyncio.get_running_loop()
        before, at = 0, loop.time()
        while True:
            self._read(await asyncio.to_thread(_scrape, self.address))
            now = loop.time()
            if now - at >= 1:
                self.results_per_s = (self.results - before) / (now - at)
                before, at = self.results, now
            await asyncio.sleep(_LOOK_EVERY_S)

    def _read(self, text: str) -> None:
        keys: dict[tuple[str, str], int] = {}
        results = 0.0
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "keystatus_keys":
                    keys[sample.labels["exchange"], sample.labels["status"]] = int(sample.value)
                elif sample.name == "keystatus_results_total":
                    results += sample.value
                elif sample.name == "keystatus_lag_records":
                    self.lag = int(sample.value)
        self.keys, self.results = keys, int(results)


def _scrape(address: str) -> str:
    with urlopen(f"{address}/metrics", timeout=5) as answer:  # noqa: S310 - the worker that the demo started
        return str(answer.read().decode())
