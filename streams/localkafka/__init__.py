"""Apache Kafka on this machine without Docker, for the demo, the tests and `keystatus broker`."""

from streams.localkafka.broker import LocalKafka
from streams.localkafka.errors import LocalKafkaError
from streams.localkafka.jars import KAFKA_VERSION

__all__ = ["KAFKA_VERSION", "LocalKafka", "LocalKafkaError"]
