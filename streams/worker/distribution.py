"""How many keys of which exchange have which status: taken at each scrape, never counted along."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.vocabulary import Status
from streams.worker.metrics import Metrics
from streams.worker.ownership import Ownership
from streams.worker.partition import Partition
from streams.worker.states import PENDING

_STATUSES: Final = (*(status.value for status in Status), PENDING)


class OwnedKeys(Collector):
    """The distribution and the lag, taken at each scrape from the partitions that are ours.

    The sum over all workers equals the number of keys, because a partition is counted by
    its one owner only, and by nobody while it changes hands.
    """

    def __init__(self, ownership: Ownership, metrics: Metrics) -> None:
        self._ownership = ownership
        self._metrics = metrics

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample per exchange of the catalogue and status, zeros included: no series ever vanishes."""
        owned = list(self._ownership.countable())
        yield self._keys_of(owned)
        yield GaugeMetricFamily(
            "keystatus_lag_records", "Records of the owned partitions that are not decided yet.",
            value=sum(partition.lag for partition in owned),
        )  # fmt: skip
        yield GaugeMetricFamily(
            "keystatus_owned_partitions", "Partitions that this worker owns and has recovered.", value=len(owned)
        )

        yield self._incidents_of(owned)

    def _incidents_of(self, owned: list[Partition]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "keystatus_incident_partitions",
            "Owned partitions that see an incident of the exchange: many of its keys fail at once.",
            labels=["exchange"],
        )
        totals = dict.fromkeys(self._metrics.exchanges, 0)
        for partition in owned:
            for name in partition.states.incidents.open:
                totals[self._metrics.exchange(name)] += 1
        for exchange, count in totals.items():
            family.add_metric([exchange], count)
        return family

    def _keys_of(self, owned: list[Partition]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "keystatus_keys", "Keys by exchange and status, of the partitions that this worker owns.",
            labels=["exchange", "status"],
        )  # fmt: skip
        totals = {(exchange, status): 0 for exchange in self._metrics.exchanges for status in _STATUSES}
        for partition in owned:
            for (name, status), count in partition.states.counts.items():
                place = (self._metrics.exchange(name), status)
                totals[place] += count
        for place, count in totals.items():
            family.add_metric(place, count)
        return family
