"""The connector at work: the keys, their schedule, the checks under way, and the results on their way to Kafka."""

import asyncio
import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from schemas.check_result import CheckResult
from schemas.contract import evolve
from streams.connector.check import check_key
from streams.connector.clients import Clients
from streams.connector.config import ConnectorConfig, HeldKey, exchanges, load_config
from streams.connector.schedule import Finding, Schedule, finding
from streams.core.classify import Verdict, classify
from streams.core.rules import RuleSet
from streams.errors import UsageError
from streams.publisher import Publisher

logger = logging.getLogger("keystatus.connector")

#: Results that wait for Kafka before checks wait for it too.
_WAITING_RESULTS: Final = 1_000


class Connector:
    """Checks keys until it is stopped. ``stop`` and ``read_again`` may be called from a signal."""

    def __init__(self, clients: Clients, rules: RuleSet, config: ConnectorConfig, *, once: bool) -> None:
        self._clients = clients
        self._rules = rules
        self._config = config
        # Chance spreads load here; nothing is kept secret by it.
        self._schedule = Schedule(Random(), first_within_s=0.0 if once else 60.0)  # noqa: S311
        self._held: dict[str, HeldKey] = {}
        self._underway: dict[str, asyncio.Task[None]] = {}
        self._unchecked: set[str] | None = set() if once else None
        self._outbox: asyncio.Queue[CheckResult | None] = asyncio.Queue(_WAITING_RESULTS)
        self._last_told: dict[str, str] = {}
        self._awake = asyncio.Event()
        self._is_stopping = False
        self._changed_file: Path | None = None

    def stop(self) -> None:
        """Start no more checks, finish those under way, publish what is there."""
        self._is_stopping = True
        self._awake.set()

    def read_again(self, path: Path) -> None:
        """Take over the file as it is now, as soon as possible."""
        self._changed_file = path
        self._awake.set()

    async def watch(self, config: ConnectorConfig, keys: Sequence[HeldKey]) -> None:
        """Watch these keys and no others. Raises UsageError when a key cannot be checked; then all stays as it was."""
        wanted = {held.entry.key_id: held for held in keys}
        # Address and time limit are the client's: another pace takes another client.
        repaced = {name for name in exchanges(keys) if config.pace(name) != self._config.pace(name)}
        new = {
            key_id: held
            for key_id, held in wanted.items()
            if self._held.get(key_id) != held or held.entry.exchange in repaced
        }
        made = await self._clients.make((held, config.pace(held.entry.exchange)) for held in new.values())
        for key_id in [key_id for key_id in self._held if key_id not in wanted or key_id in new]:
            await self._forget(key_id)
        self._clients.keep(made)
        self._config = config
        for exchange in exchanges(keys):
            self._schedule.set_pace(exchange, config.pace(exchange))
        for key_id, held in new.items():
            self._held[key_id] = held
            self._schedule.add(key_id, held.entry.exchange, held.entry.interval_s, self._time())
        if self._unchecked is not None:
            self._unchecked |= new.keys()
        self._tell_load()

    async def run(self, publisher: Publisher) -> None:
        """Check and publish until stopped (or until each key was checked once). Raises KeystatusError for Kafka."""
        publishing = asyncio.create_task(self._publish(publisher), name="publish")
        publishing.add_done_callback(lambda _: self._awake.set())
        try:
            while not (self._is_done() or publishing.done()):
                self._awake.clear()
                await self._take_over_changes()
                self._start_what_is_due()
                await self._sleep()
            logger.info("stopping, %d checks under way", len(self._underway))
            await self._finish()
        finally:
            if not publishing.done():
                await self._outbox.put(None)
            await publishing

    def _is_done(self) -> bool:
        return self._is_stopping or self._unchecked == set()

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _start_what_is_due(self) -> None:
        if len(self._underway) >= self._config.concurrency:
            return
        for key_id in self._schedule.take(self._time()):
            task = asyncio.create_task(self._check(key_id), name=f"check {key_id}")
            self._underway[key_id] = task
            task.add_done_callback(partial(self._end, key_id))
            if len(self._underway) >= self._config.concurrency:
                return

    def _end(self, key_id: str, done: asyncio.Task[None]) -> None:
        if self._underway.get(key_id) is done:
            del self._underway[key_id]
        if not done.cancelled() and done.exception() is not None:
            # The other keys must not suffer from it, and this one gets another chance.
            logger.error("key=%s was not checked: a fault of the connector", key_id, exc_info=done.exception())
            self._schedule.checked(key_id, Finding.NO_ANSWER, None, self._time())
        if self._unchecked is not None:
            self._unchecked.discard(key_id)
        self._awake.set()

    async def _sleep(self) -> None:
        """Until a key is due and there is room for its check, or something has happened."""
        due_at = None if len(self._underway) >= self._config.concurrency else self._schedule.next_at()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_at):
                await self._awake.wait()

    async def _check(self, key_id: str) -> None:
        """One check, to the outbox."""
        held = self._held[key_id]
        result = await check_key(
            self._clients[key_id],
            held.entry.key,
            rules=self._rules,
            limit_s=self._config.pace(held.entry.exchange).timeout_s,
        )
        verdict = classify(result, self._rules)
        retry_after_s = None if result.error is None else result.error.retry_after_s
        pause_s = self._schedule.checked(key_id, finding(result, verdict), retry_after_s, self._time())
        self._tell(result, verdict, pause_s)
        await self._outbox.put(evolve(result, {"check_interval_s": max(1, math.ceil(pause_s))}))

    async def _publish(self, publisher: Publisher) -> None:
        """Send what is in the outbox, all that is there at once, until None comes."""
        is_open = True
        while is_open:
            waiting = [await self._outbox.get()]
            while not self._outbox.empty():
                waiting.append(self._outbox.get_nowait())
            for result in waiting:
                if result is None:
                    is_open = False
                else:
                    await publisher.send(result.key_id.encode(), result.model_dump_json().encode())
            await publisher.flush()

    async def _finish(self) -> None:
        """Wait for the checks under way, and give up those that take too long."""
        left = tuple(self._underway.values())
        if not left:
            return
        _, late = await asyncio.wait(left, timeout=self._config.stop_limit_s)
        for task in late:
            task.cancel()
        if late:
            logger.warning("%d checks given up after %g s", len(late), self._config.stop_limit_s)
            await asyncio.wait(late)

    async def _take_over_changes(self) -> None:
        """Read the file again if that was asked for; a file with faults changes nothing."""
        path, self._changed_file = self._changed_file, None
        if path is None:
            return
        try:
            await self.watch(*load_config(path))
        except UsageError as error:
            for line in str(error).splitlines():
                logger.error("not taken over: %s", line)  # noqa: TRY400 - a fault of the file, not of a line of ours

    async def _forget(self, key_id: str) -> None:
        """Watch a key no longer; a check of it that is under way comes to nothing."""
        self._schedule.remove(key_id)
        task = self._underway.pop(key_id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._clients.close(key_id)
        del self._held[key_id]
        self._last_told.pop(key_id, None)
        if self._unchecked is not None:
            self._unchecked.discard(key_id)

    def _tell(self, result: CheckResult, verdict: Verdict, pause_s: float) -> None:
        """One line for each check; at the level info only when it says something else than the one before."""
        said = verdict.error_type or result.outcome
        is_new = self._last_told.get(result.key_id) != said
        self._last_told[result.key_id] = said
        logger.log(
            logging.INFO if is_new else logging.DEBUG,
            "key=%s exchange=%s says=%s rule=%s next_within_s=%.0f",
            result.key_id,
            result.exchange,
            said,
            verdict.rule,
            pause_s,
        )

    def _tell_load(self) -> None:
        logger.info("watching %d keys", len(self._held))
        for exchange, round_s in self._schedule.overloaded():
            logger.warning("exchange=%s takes %.0f s to check each key: raise checks_per_minute", exchange, round_s)
