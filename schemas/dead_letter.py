"""A dead letter: a record that could not be read, with what is known of it."""

from typing import Annotated

from pydantic import Field

from schemas.contract import Contract
from schemas.vocabulary import DeadLetterReason


class DeadLetterHeaders(Contract):
    """The headers that are added to a dead letter; its key and value stay as they came.

    The five ``__streams.errors`` names are those of Kafka Streams since 4.2
    (KIP-1034), so that tools which know them show them.
    """

    exception: Annotated[str, Field(alias="__streams.errors.exception")]
    message: Annotated[str, Field(alias="__streams.errors.message")]
    topic: Annotated[str, Field(alias="__streams.errors.topic")]
    partition: Annotated[str, Field(alias="__streams.errors.partition", pattern=r"^\d+$")]
    offset: Annotated[str, Field(alias="__streams.errors.offset", pattern=r"^\d+$")]
    reason: Annotated[DeadLetterReason, Field(alias="keystatus.reason")]
