"""Infrastructure of a process: settings, engines, Temporal client, codec, logs, telemetry, schedules."""
