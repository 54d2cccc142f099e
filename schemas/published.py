"""The JSON Schemas of the contracts, generated from the models.

``python -m schemas.published`` writes them to ``schemas/json/``; ``--check`` only tells which are stale. Every
contract has two: ``validation`` is what a reader accepts (defaults may be missing), ``serialization`` is what a
writer of ours sends (every field is there).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from schemas.check_result import CheckResult
from schemas.contract import SCHEMA_VERSION, Contract
from schemas.dead_letter import DeadLetterHeaders
from schemas.deadline import Deadline
from schemas.key_state import KeyState
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged

DIRECTORY: Final = Path(__file__).with_name("json")
MODES: Final[tuple[JsonSchemaMode, ...]] = ("validation", "serialization")

#: By the name under which it is published.
CONTRACTS: Final[Mapping[str, type[Contract]]] = {
    "check-result": CheckResult,
    "deadline": Deadline,
    "key-state": KeyState,
    "status-change": KeyStatusChanged,
    "notice": Notice,
    "dead-letter-headers": DeadLetterHeaders,
}


def documents() -> dict[str, str]:
    """Every schema as a text, by its file name."""
    return {
        f"{name}.{mode}.schema.json": _document(name, model, mode)
        for name, model in CONTRACTS.items()
        for mode in MODES
    }


def _document(name: str, model: type[Contract], mode: JsonSchemaMode) -> str:
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:keystatus:schema:{name}:{SCHEMA_VERSION}:{mode}",
        "title": model.__name__,
    }
    schema = head | model.model_json_schema(mode=mode)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stale(directory: Path) -> list[str]:
    """The files that differ from the models, are missing, or should not be there."""
    wanted = documents()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(directory: Path) -> None:
    """Make the directory's schemas those of the models."""
    directory.mkdir(exist_ok=True)
    wanted = documents()
    for name in stale(directory):
        if name in wanted:
            (directory / name).write_text(wanted[name], encoding="utf-8")
        else:
            (directory / name).unlink()


def main(arguments: Sequence[str] | None = None, directory: Path = DIRECTORY) -> int:
    """The command: 0 when the files are fresh afterwards, 1 when ``--check`` finds stale ones."""
    parser = argparse.ArgumentParser(prog="python -m schemas.published", description="Write the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that are stale")
    if not parser.parse_args(arguments).check:
        write(directory)
        return 0
    names = stale(directory)
    for name in names:
        sys.stdout.write(f"{name} is stale: run python -m schemas.published\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
