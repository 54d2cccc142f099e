"""A deadline: the worker's own record that lets time enter through the log."""

from typing import Literal

from schemas.contract import SCHEMA_VERSION, Contract, GivenMoment, KeyId
from schemas.vocabulary import DeadlineKind


class Deadline(Contract):
    """Written to ``apikey.check-results`` by the worker that owns the key.

    It says only that a moment has come. What follows is decided from the key's
    state; a deadline that no longer matches it is ignored.
    """

    type: Literal["deadline"] = "deadline"
    schema_version: Literal[1] = SCHEMA_VERSION
    key_id: KeyId
    kind: DeadlineKind
    due_at: GivenMoment
