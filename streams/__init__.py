"""keystatus: from what exchanges answer about API keys to the status of every key."""
