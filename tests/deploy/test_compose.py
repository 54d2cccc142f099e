"""The compose file: valid by its schema, and what it tells our commands is understood by them."""

import json
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from streams.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "keystatus"]


def compose_schema() -> dict[str, Any]:
    """The compose specification's schema, as the check-jsonschema distribution carries it."""
    (path,) = [file for file in files("check-jsonschema") or [] if file.name == "compose-spec.json"]
    return json.loads(path.read_text())


def test_the_file_is_valid_by_the_compose_schema() -> None:
    assert [error.message for error in Draft202012Validator(compose_schema()).iter_errors(COMPOSE)] == []


def test_the_schema_would_see_a_fault() -> None:
    broken = COMPOSE | {"services": {"worker": {"comand": ["worker"]}}}
    assert list(Draft202012Validator(compose_schema()).iter_errors(broken))


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_every_service_of_ours_exists(name: str) -> None:
    command = [sys.executable, "-m", "streams", *COMPOSE["services"][name]["command"], "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_every_service_of_ours_is_a_setting(name: str) -> None:
    known = {f"KEYSTATUS_{field.upper()}" for field in Settings.model_fields}
    assert set(COMPOSE["services"][name]["environment"]) - known == set()


def refused_secrets(compose: dict[str, Any]) -> list[tuple[str, str]]:
    """Secrets from the environment in read-only services: Compose refuses that, and its schema does not say so."""
    from_environment = {name for name, secret in compose["secrets"].items() if "environment" in secret}
    taken = [
        (name, secret["source"] if isinstance(secret, dict) else secret)
        for name, service in compose["services"].items()
        if service.get("read_only")
        for secret in service.get("secrets", [])
    ]
    return [(name, secret) for name, secret in taken if secret in from_environment]


def test_no_read_only_service_takes_a_secret_from_the_environment() -> None:
    assert refused_secrets(COMPOSE) == []


def test_such_a_secret_would_be_seen() -> None:
    """Whether the service names it in short or in long."""
    secrets = {"web_token": {"environment": "KEYSTATUS_WEB_TOKEN"}}
    assert COMPOSE["services"]["worker"]["read_only"]
    assert refused_secrets(COMPOSE | {"secrets": secrets}) == [("worker", "web_token")]
    in_long = {"one": {"read_only": True, "secrets": [{"source": "web_token"}]}, "two": {"read_only": True}}
    assert refused_secrets({"services": in_long, "secrets": secrets}) == [("one", "web_token")]


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_token_goes_into_neither_git_nor_the_image() -> None:
    name = Path(COMPOSE["secrets"]["web_token"]["file"]).name
    assert f"/{name}" in (ROOT / ".gitignore").read_text().splitlines()
    ignored, *let_in = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored == "*"
    assert f"!{name}" not in let_in


def test_the_image_is_built_from_the_lock_file() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in lines
    assert "USER 10001" in lines
