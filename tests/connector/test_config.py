"""The connector's file: what it says, and every fault of it with its place."""

from pathlib import Path

import pytest

from schemas.vocabulary import Environment, Permission
from streams.connector.config import ConnectorConfig, HeldKey, load_config
from streams.errors import UsageError

GOOD = """
concurrency = 8

[defaults]
interval_s = 120

[exchange.kraken]
slow_interval_s = 7200
checks_per_minute = 10
base_url = "http://127.0.0.1:8080"

[[key]]
key_id = "kraken-1"
exchange = "kraken"
environment = "testnet"
account_id = "customer-7"
credential_version = 2
required_permissions = ["read"]
interval_s = 60
api_key = { env = "TEST_KRAKEN_KEY" }
secret = { file = "kraken.secret" }

[[key]]
key_id = "okx-1"
exchange = "okx"
api_key = { env = "TEST_KRAKEN_KEY" }
secret = { env = "TEST_KRAKEN_KEY" }
passphrase = { file = "kraken.secret" }
"""

KEY = """
[[key]]
key_id = "a"
exchange = "kraken"
api_key = { env = "TEST_KRAKEN_KEY" }
secret = { env = "TEST_KRAKEN_KEY" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KRAKEN_KEY", "not-a-real-key")
    (tmp_path / "kraken.secret").write_text("not-a-real-secret\n")
    return tmp_path


def load(folder: Path, text: str) -> tuple[ConnectorConfig, tuple[HeldKey, ...]]:
    path = folder / "connector.toml"
    path.write_text(text)
    return load_config(path)


def faults(folder: Path, text: str) -> list[str]:
    """Every fault without the folder."""
    with pytest.raises(UsageError) as refused:
        load(folder, text)
    return str(refused.value).replace(f"{folder}/", "").splitlines()


def test_a_good_file(folder: Path) -> None:
    config, (kraken, okx) = load(folder, GOOD)
    assert (config.concurrency, config.stop_limit_s) == (8, 20)
    assert (kraken.entry.key_id, kraken.entry.environment, kraken.entry.interval_s) == (
        "kraken-1",
        Environment.TESTNET,
        60,
    )
    key = kraken.entry.key
    assert (key.account_id, key.credential_version, key.required_permissions) == ("customer-7", 2, (Permission.READ,))
    assert okx.entry.key.required_permissions == (Permission.READ, Permission.SPOT_TRADE)
    assert kraken.credentials.api_key.get_secret_value() == "not-a-real-key"
    assert kraken.credentials.secret.get_secret_value() == "not-a-real-secret"
    assert kraken.credentials.passphrase is None
    assert okx.credentials.passphrase is not None
    assert okx.credentials.passphrase.get_secret_value() == "not-a-real-secret"


def test_an_exchange_takes_over_what_it_does_not_set(folder: Path) -> None:
    config, _ = load(folder, GOOD)
    kraken, okx = config.pace("kraken"), config.pace("okx")
    assert (kraken.interval_s, kraken.slow_interval_s, kraken.checks_per_minute) == (120, 7200, 10)
    assert (okx.interval_s, okx.slow_interval_s, okx.checks_per_minute, okx.base_url) == (120, 3600, 60, None)
    assert kraken.base_url == "http://127.0.0.1:8080"


def test_nothing_that_is_printed_shows_a_credential(folder: Path) -> None:
    told = repr(load(folder, GOOD)) + str(load(folder, GOOD))
    assert "not-a-real" not in told


def test_a_credential_in_the_file_is_refused_and_not_repeated(folder: Path) -> None:
    text = KEY.replace('{ env = "TEST_KRAKEN_KEY" }', '"inline-credential"')
    told = faults(folder, text)
    refusal = 'credentials do not stand in this file: write { env = "NAME" } or { file = "PATH" }'
    assert told == [f"connector.toml:2: key.0.api_key: {refusal}", f"connector.toml:2: key.0.secret: {refusal}"]


def test_all_faults_come_at_once_with_their_lines(folder: Path) -> None:
    text = f"""concurrency = 0
{KEY}
interval = 5

[[key]]
key_id = "has blanks"
exchange = "Kraken"
required_permissions = ["fly"]
api_key = {{ env = "A", file = "b" }}
secret = {{}}

[exchange.okx]
jitter = 2
base_url = "example.com"
"""
    told = faults(folder, text)
    assert [line.split(": ")[:2] for line in told] == [
        ["connector.toml:1", "concurrency"],
        ["connector.toml:1", "exchange.okx.jitter"],
        ["connector.toml:1", "exchange.okx.base_url"],
        ["connector.toml:3", "key.0.interval"],
        ["connector.toml:11", "key.1.key_id"],
        ["connector.toml:11", "key.1.exchange"],
        ["connector.toml:11", "key.1.required_permissions.0"],
        ["connector.toml:11", "key.1.api_key"],
        ["connector.toml:11", "key.1.secret"],
    ]
    assert "there is no such setting" in told[3]


def test_references_that_lead_nowhere(folder: Path) -> None:
    (folder / "empty").write_text("\n")
    text = KEY.replace('secret = { env = "TEST_KRAKEN_KEY" }', 'secret = { file = "absent" }') + KEY.replace(
        'key_id = "a"', 'key_id = "b"'
    ).replace('api_key = { env = "TEST_KRAKEN_KEY" }', 'api_key = { env = "TEST_ABSENT" }').replace(
        'secret = { env = "TEST_KRAKEN_KEY" }', 'secret = { file = "empty" }'
    )
    assert faults(folder, text) == [
        "connector.toml:2: a: secret: cannot read absent: No such file or directory: check the path",
        "connector.toml:8: b: api_key: the environment variable TEST_ABSENT is not set: set it, or name a file",
        "connector.toml:8: b: secret: empty is empty: write the credential into it",
    ]


def test_two_keys_of_one_name(folder: Path) -> None:
    assert faults(folder, KEY + KEY) == [
        "connector.toml:1: key: more than one key has the key_id a: each key has its own"
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "connector.toml:1: key"), ("\nx = = 1\n", "connector.toml:2: not TOML"), ("key = 3", ":1: key")],
)
def test_a_file_without_keys_or_without_sense(folder: Path, text: str, place: str) -> None:
    (told,) = faults(folder, text)
    assert place in told


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--config"):
        load_config(tmp_path / "absent.toml")
