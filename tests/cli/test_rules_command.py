"""``keystatus rules``: lists, coverage and the comparison with ccxt, and the pages that are generated from them."""

from pathlib import Path

import pytest

from streams.catalogue import load_rules
from tests.cli.command import ROOT, environment, error_line, objects, run

PAGES = {
    "exchanges.md": ("rules", "coverage", "--markdown"),
    "ccxt-comparison.md": ("rules", "compare-ccxt", "--markdown"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_fresh(page: str) -> None:
    """Another one means: somebody changed rules and did not run `make docs`."""
    done = run(*PAGES[page])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (ROOT / "docs" / page).read_bytes()


def test_make_writes_these_pages() -> None:
    target = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndocs:")[2].partition("\n\n")[0]
    for page, command in PAGES.items():
        assert f"keystatus {' '.join(command)} > docs/.new && mv docs/.new docs/{page}" in target


def test_the_list_as_json() -> None:
    told = objects(run("rules", "list", "--exchange", "gate", "--json").stdout)
    assert {rule["id"].partition(".")[0] for rule in told} == {"gate", "defaults"}
    by_id = {rule["id"]: rule for rule in told}
    rule = by_id["gate.ip_not_allowed"]
    assert (rule["code"], rule["error_type"], rule["certainty"]) == (["IP_FORBIDDEN"], "ip_not_allowed", "definite")
    assert rule["tier"] == 4
    assert rule["meaning"]
    assert rule["source"].startswith("https://")


def test_coverage() -> None:
    """A line for each exchange, with its endpoint and its policy."""
    lines = run("rules", "coverage").stdout.decode().splitlines()
    exchanges = {rules.exchange for rules in load_rules().exchanges.values()}
    assert {*exchanges, "defaults"} <= {line.split()[0] for line in lines[1:]}
    (okx,) = [line for line in lines if line.startswith("okx ")]
    assert "GET /api/v5/account/config" in okx
    assert "deleted after 14 days without use" in okx
    assert " of 24 " in okx


def test_what_is_missing() -> None:
    lines = run("rules", "coverage", "--missing").stdout.decode().splitlines()
    (binance,) = [line for line in lines if line.startswith("binance ")]
    assert "passphrase_mismatch" in binance
    assert "key_not_found" not in binance


def test_coverage_as_json() -> None:
    rows = {row["exchange"]: row for row in objects(run("rules", "coverage", "--json").stdout)}
    assert rows["okx"]["expiry"]["days"] == 14
    assert rows["okx"]["key_info"]["source"].startswith("https://")
    assert sum(rows["okx"]["error_types"].values()) == rows["okx"]["rules"]


def test_the_comparison_of_one_exchange() -> None:
    """Also by an alias; every rule of the exchange is there, and the counts."""
    text = run("rules", "compare-ccxt", "--exchange", "gateio").stdout.decode()
    for rule in load_rules().of("gate").rules:
        assert f" {rule.id} " in text
    assert "false invalid: the key would have been called dead" in text
    assert "binance." not in text


def test_the_comparison_as_json() -> None:
    told = objects(run("rules", "compare-ccxt", "--exchange", "gate", "--json").stdout)
    (row,) = [row for row in told if row["rule"] == "gate.ip_not_allowed"]
    assert row == {
        "rule": "gate.ip_not_allowed",
        "answers": ["IP_FORBIDDEN"],
        "ccxt_class": "AuthenticationError",
        "ccxt_status": "invalid",
        "status": "incorrect_permissions",
        "error_type": "ip_not_allowed",
        "difference": "false_invalid",
        "meaning": row["meaning"],
    }


def test_without_ccxt(tmp_path: Path) -> None:
    """What to install is told, and nothing else needs it."""
    (tmp_path / "ccxt.py").write_text("raise ImportError\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = run("rules", "compare-ccxt", env=env)
    assert done.returncode == 2
    assert "pip install 'keystatus[ccxt]'" in error_line(done)
    for command in (("rules", "coverage"), ("rules", "list")):
        assert run(*command, env=env).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "coverage", "--json", "--markdown"),
        ("rules", "coverage", "--missing", "--json"),
        ("rules", "compare-ccxt", "--json", "--markdown"),
        ("rules", "compare-ccxt", "--exchange", "mtgox"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    error_line(done)


def commands_of(page: str) -> list[list[str]]:
    """The commands that a page of the documentation tells to type."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return [line.split()[1:] for line in map(str.strip, lines) if line.startswith("keystatus ")]


@pytest.mark.parametrize("words", commands_of("catalogue.md"), ids=" ".join)
def test_a_documented_command_is_there(words: list[str]) -> None:
    """With each of its options."""
    command = words[:2] if words[0] == "rules" else words[:1]
    options = {word for word in words if word.startswith("--")}
    done = run(*command, "--help")
    assert done.returncode == 0
    assert options <= set(done.stdout.decode().split())


def test_the_page_of_the_catalogue_tells_commands() -> None:
    """An empty list would make the test above pass."""
    assert len(commands_of("catalogue.md")) >= 6
