"""Effects made durable: one class per capability, whose constructor takes what it needs."""
