"""Asks exchanges about API keys through ccxt and publishes what they answer. Only the command line imports it."""
