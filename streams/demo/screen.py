"""The demo's screen."""

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.vocabulary import Status
from streams.cli.terminal import STYLE
from streams.core.advice import SEVERITY
from streams.demo.watch import Watch

_SHORT: Final[Mapping[Status, str]] = {
    Status.CONNECTED: "connected",
    Status.EXPIRING: "expiring",
    Status.EXPIRED: "expired",
    Status.INCORRECT_PERMISSIONS: "perms",
    Status.WITHDRAWAL_ENABLED: "withdraw",
    Status.TEMPORARY_ISSUE: "temp",
    Status.INVALID: "invalid",
    Status.INACTIVE_FUTURES: "futures",
}


def screen(watch: Watch, heading: str) -> RenderableType:
    """Distribution, latest changes, rates, and where the metrics are."""
    latest = Text("\n").join(watch.latest) if watch.latest else Text("no change yet", "dim")
    return Group(Text(heading, "bold"), distribution(watch), Text("Latest changes", "bold"), latest, rates(watch))


def distribution(watch: Watch) -> Table:
    """Keys by exchange and status."""
    table = Table(
        title="Keys by exchange and status", title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0)
    )
    table.add_column("exchange")
    for status in Status:
        table.add_column(_SHORT[status], justify="right", style=STYLE[SEVERITY[status]])
    table.add_column("keys", justify="right")
    for exchange in sorted({exchange for exchange, _ in watch.keys}):
        counts = [watch.keys.get((exchange, status), 0) for status in Status]
        if any(counts):
            table.add_row(exchange, *(str(count or "·") for count in counts), str(sum(counts)))
    totals = [sum(n for (_, name), n in watch.keys.items() if name == status) for status in Status]
    table.add_row("all", *(str(total) for total in totals), str(sum(totals)))
    return table


def rates(watch: Watch) -> Text:
    """Results and their rate, changes, lag, and the address to scrape."""
    return Text(
        f"{watch.results:,} results · {watch.results_per_s:,.0f}/s · {watch.changes.total():,} changes · "
        f"lag {watch.lag:,} · {watch.address}/metrics"
    )
