"""The one error of this package."""


class LocalKafkaError(RuntimeError):
    """The local Kafka cannot be had; the message's first line says what to do."""
