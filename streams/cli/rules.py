"""``keystatus rules``: the catalogue of what exchanges' answers mean."""

from pathlib import Path
from typing import Annotated

import typer

from streams.catalogue import PACKAGED_RULES, RulesError, load_rules
from streams.cli.lines import write_lines
from streams.cli.terminal import show_table
from streams.core.rules import Rule
from streams.errors import Exit, UsageError

app = typer.Typer(help="The catalogue of what exchanges' answers mean.")

Directory = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="directory of rule files; without it those of keystatus", show_default=False),
]
Exchange = Annotated[str | None, typer.Option(help="only the rules that hold for this exchange")]


@app.command()
def lint(directory: Directory = PACKAGED_RULES) -> None:
    """Verify rule files: one line for each fault, with file and line; exit code 1 when there is one."""
    try:
        rules = load_rules(directory)
    except RulesError as error:
        write_lines(str(problem) for problem in error.problems)
        raise typer.Exit(Exit.FAILURE) from None
    files = len({rule.exchange for rule in rules.exchanges.values()}) + 1
    write_lines([f"{sum(1 for _ in rules.rules())} rules in {files} files are in order"])


@app.command("list")
def list_rules(exchange: Exchange = None) -> None:
    """Print every rule: its id, what the answer means, how far one answer is believed, and its conditions."""
    rules = load_rules()
    chosen = tuple(rules.rules())
    if exchange is not None:
        if exchange not in rules.exchanges:
            raise UsageError(f"no rules for {exchange}: choose one of {', '.join(sorted(rules.exchanges))}")
        chosen = (*rules.of(exchange).rules, *rules.defaults.rules)
    show_table(("rule", "error type", "certainty", "conditions"), map(_row, chosen))


def _row(rule: Rule) -> tuple[str, str, str, str]:
    conditions = {
        "code": rule.code,
        "http": rule.http,
        "message": rule.message,
        "endpoint": rule.endpoint,
        "class": rule.ccxt_class,
    }
    told = "; ".join(f"{name} {' | '.join(map(str, wanted))}" for name, wanted in conditions.items() if wanted)
    return rule.id, rule.error_type, rule.certainty, told
