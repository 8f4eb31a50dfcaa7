"""`bursar.Agent` with CrewAI's classes, in a separate environment that `make test-sdk` creates."""

import os

import tests.support.sync_half  # noqa: F401 - before `bursar` is imported

collect_ignore_glob = ["test_*.py"]
if "TEST_CREWAI" in os.environ:
    collect_ignore_glob = []
    # Before CrewAI is imported, which would report its use to its makers. Other lanes load this file as well, and their
    # tests of tracing need OpenTelemetry.
    os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_DISABLE_TRACKING": "true", "OTEL_SDK_DISABLED": "true"}
    os.environ["CREWAI_TRACING_ENABLED"] = "false"
