"""Metrics: what is counted, that series exist from the start, and that labels are bounded."""

from collections import Counter
from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from streams.core.decide import decide
from streams.core.policy import Policy
from streams.worker.distribution import OwnedKeys
from streams.worker.metrics import Metrics
from streams.worker.tally import Tally
from tests.factories import NAMED_RULES, failure, ok, record

EXCHANGES = ("binance", "kraken")


def observed(*records: object) -> CollectorRegistry:
    """A registry after these records, each for itself."""
    registry, tally = CollectorRegistry(), Tally()
    for entry in records:
        tally.add(decide(entry, None, NAMED_RULES, Policy()))
    Metrics(registry, EXCHANGES).observe(tally)
    return registry


def keys_of(*counts: Counter[tuple[str, str]], confirmed: bool = True) -> CollectorRegistry:
    """A registry that counts owned partitions with these distributions."""
    registry = CollectorRegistry()
    partitions = [SimpleNamespace(states=SimpleNamespace(counts=count), lag=3) for count in counts]
    ownership = SimpleNamespace(countable=lambda: iter(partitions if confirmed else []))
    registry.register(OwnedKeys(ownership, Metrics(registry, EXCHANGES)))
    return registry


def test_results_and_changes_are_counted() -> None:
    registry = observed(record(ok()), record(ok()))
    assert registry.get_sample_value("keystatus_results_total", {"exchange": "binance", "outcome": "ok"}) == 2
    change = {"exchange": "binance", "from": "none", "to": "connected"}
    assert registry.get_sample_value("keystatus_status_changes_total", change) == 2
    assert registry.get_sample_value("keystatus_check_to_change_seconds_count") == 2


def test_dead_letters_are_counted_by_reason() -> None:
    registry = observed(record(b"{broken"))
    assert registry.get_sample_value("keystatus_dead_letters_total", {"reason": "malformed_json"}) == 1


def test_ignored_records_are_counted_by_reason() -> None:
    registry = observed(record(None))
    assert registry.get_sample_value("keystatus_ignored_records_total", {"reason": "unknown_key"}) == 1


def test_unclassified_errors_are_counted_by_exchange() -> None:
    registry = observed(record(failure("never-heard-of-it", exchange="kraken")))
    assert registry.get_sample_value("keystatus_unclassified_errors_total", {"exchange": "kraken"}) == 1


def test_series_exist_before_their_first_event() -> None:
    registry = observed()
    assert registry.get_sample_value("keystatus_dead_letters_total", {"reason": "too_large"}) == 0
    assert registry.get_sample_value("keystatus_ignored_records_total", {"reason": "late"}) == 0
    assert registry.get_sample_value("keystatus_results_total", {"exchange": "kraken", "outcome": "error"}) == 0


def test_exchanges_without_rules_share_one_label() -> None:
    registry = observed(*(record(ok(exchange=f"made-up-{n}")) for n in range(50)))
    assert registry.get_sample_value("keystatus_results_total", {"exchange": "other", "outcome": "ok"}) == 50
    assert registry.get_sample_value("keystatus_results_total", {"exchange": "made-up-1", "outcome": "ok"}) is None


def test_keys_of_all_owned_partitions_are_added_up() -> None:
    registry = keys_of(Counter({("binance", "connected"): 2}), Counter({("binance", "connected"): 3}))
    assert registry.get_sample_value("keystatus_keys", {"exchange": "binance", "status": "connected"}) == 5


def test_every_exchange_shows_every_status_also_without_keys() -> None:
    registry = keys_of(Counter({("binance", "connected"): 2}))
    assert registry.get_sample_value("keystatus_keys", {"exchange": "binance", "status": "invalid"}) == 0
    assert registry.get_sample_value("keystatus_keys", {"exchange": "kraken", "status": "pending"}) == 0


def test_two_unknown_exchanges_are_one_sample_and_not_a_broken_scrape() -> None:
    registry = keys_of(Counter({("made-up-1", "connected"): 2, ("made-up-2", "connected"): 1}))
    assert registry.get_sample_value("keystatus_keys", {"exchange": "other", "status": "connected"}) == 3


def test_a_worker_that_the_group_has_not_confirmed_counts_no_keys() -> None:
    registry = keys_of(Counter({("binance", "connected"): 2}), confirmed=False)
    assert registry.get_sample_value("keystatus_keys", {"exchange": "binance", "status": "connected"}) == 0
    assert registry.get_sample_value("keystatus_owned_partitions") == 0


def test_lag_is_the_sum_over_the_owned_partitions() -> None:
    assert keys_of(Counter(), Counter()).get_sample_value("keystatus_lag_records") == 6
