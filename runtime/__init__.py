"""What a process needs around the product: settings, engines, Temporal client, codec, logs, telemetry, schedules."""
