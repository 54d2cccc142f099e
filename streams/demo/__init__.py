"""The demo: a local Kafka, a worker, documented exchange answers, then a steady load."""
