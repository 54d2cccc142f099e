"""``keystatus rules``: the catalogue of what exchanges' answers mean."""

import json
from pathlib import Path
from typing import Annotated

import typer

from streams import catalogue_tables, ccxt_comparison
from streams.catalogue import PACKAGED_RULES, RulesError, load_rules
from streams.catalogue_tables import TYPES, Coverage
from streams.ccxt_comparison import MEANINGS, Compared
from streams.cli.lines import write_lines
from streams.cli.terminal import show_table
from streams.connector.key_info import KEY_INFO
from streams.core.rules import Rule
from streams.errors import Exit, UsageError

app = typer.Typer(help="The catalogue of what exchanges' answers mean.")

Directory = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="directory of rule files; without it those of keystatus", show_default=False),
]
Exchange = Annotated[str | None, typer.Option(help="only the rules that hold for this exchange")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="the page of the documentation")]
Missing = Annotated[bool, typer.Option("--missing", help="the error types that an exchange has no rule for")]


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
def list_rules(exchange: Exchange = None, *, as_json: AsJson = False) -> None:
    """Print every rule: its id, what the answer means, how far one answer is believed, and its conditions.

    With --json also tier, meaning, source and the date when somebody last compared the two.
    """
    rules = load_rules()
    chosen = tuple(rules.rules())
    if exchange is not None:
        if exchange not in rules.exchanges:
            raise UsageError(f"no rules for {exchange}: choose one of {', '.join(sorted(rules.exchanges))}")
        chosen = (*rules.of(exchange).rules, *rules.defaults.rules)
    if as_json:
        write_lines(json.dumps(_rule_object(rule), ensure_ascii=False) for rule in chosen)
        return
    show_table(("rule", "error type", "certainty", "conditions"), map(_row, chosen))


@app.command()
def coverage(*, missing: Missing = False, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """Print what the catalogue knows of each exchange: rules, error types, key-info endpoint, expiry policy, sources.

    --missing prints what it does not know: the error types without a rule of the exchange's own, apart those that the
    defaults tell by HTTP status or ccxt class.
    """
    if missing + as_json + as_markdown > 1:
        raise UsageError("--missing, --json and --markdown are three ways to print the same: choose one")
    rows = catalogue_tables.coverage(load_rules(), KEY_INFO)
    if as_json:
        write_lines(json.dumps(catalogue_tables.as_object(row), ensure_ascii=False) for row in rows)
    elif as_markdown:
        write_lines(catalogue_tables.as_markdown(rows))
    elif missing:
        show_table(("exchange", "no rule at all", "by the defaults only"), map(_missing_row, rows))
    else:
        headings = (
            "exchange",
            "rules",
            "error types",
            "key info",
            "without IP addresses",
            "sources",
            "left out",
            "checked",
        )
        show_table(headings, map(_coverage_row, rows))


@app.command("compare-ccxt")
def compare_ccxt(exchange: Exchange = None, *, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """Print what ccxt's exception class alone would have said to the answers that the rules know.

    One row for each rule and class: the class by ccxt's own tables, the status that it leads to by the defaults, and
    the status by the rule. Needs keystatus[ccxt].
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown are two ways to print the same: choose one")
    rules = load_rules()
    if exchange is not None and exchange not in rules.exchanges:
        raise UsageError(f"no rules for {exchange}: choose one of {', '.join(sorted(rules.exchanges))}")
    version, tables = ccxt_comparison.load_ccxt()
    wanted = rules.of(exchange).exchange if exchange is not None else None
    rows = tuple(row for row in ccxt_comparison.compare(rules, tables) if wanted in (None, row.exchange))
    if as_markdown:
        unknown = sorted({found.exchange for found in rules.exchanges.values()} - set(tables))
        write_lines(ccxt_comparison.as_markdown(version, rows, unknown))
    elif as_json:
        write_lines(json.dumps(_comparison_object(row), ensure_ascii=False) for row in rows)
    else:
        _show_comparison(rows)


def _show_comparison(rows: tuple[Compared, ...]) -> None:
    """The rows, worst differences first, and the counts."""
    order = list(MEANINGS)
    headings = ("difference", "rule", "answers", "ccxt's class", "by the class", "by the rule", "what the answer means")
    show_table(headings, map(_comparison_row, sorted(rows, key=lambda row: order.index(row.difference))))
    write_lines([""])
    counts = ((meaning, *map(str, ccxt_comparison.count(rows, kind))) for kind, meaning in MEANINGS.items())
    show_table(("by ccxt's class alone", "rules", "answers"), counts)


def _comparison_row(row: Compared) -> tuple[str, ...]:
    return (
        row.difference.replace("_", " "),
        row.rule.id,
        ", ".join(ccxt_comparison.shorten(row.answers)),
        row.ccxt_class,
        ccxt_comparison.told(row.ccxt_status),
        ccxt_comparison.told(row.status, row.rule.error_type),
        row.rule.meaning,
    )


def _comparison_object(row: Compared) -> dict[str, object]:
    return {
        "rule": row.rule.id,
        "answers": row.answers,
        "ccxt_class": row.ccxt_class,
        "ccxt_status": row.ccxt_status,
        "status": row.status,
        "error_type": row.rule.error_type,
        "difference": row.difference,
        "meaning": row.rule.meaning,
    }


def _coverage_row(row: Coverage) -> tuple[str, ...]:
    return (
        row.exchange,
        str(row.rules),
        f"{row.types} of {len(TYPES)}",
        "" if row.key_info is None else row.key_info.endpoint,
        catalogue_tables.tell_expiry(row.expiry),
        str(len(row.sources)),
        str(len(row.left_out)),
        "" if row.checked is None else row.checked.isoformat(),
    )


def _missing_row(row: Coverage) -> tuple[str, ...]:
    return row.exchange, ", ".join(row.missing), ", ".join(row.by_default)


def _rule_object(rule: Rule) -> dict[str, object]:
    fields = rule.model_dump(mode="json", exclude={"ambiguous"})
    return {"id": fields.pop("id"), "tier": rule.tier.value, "certainty": rule.certainty, **fields}


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
