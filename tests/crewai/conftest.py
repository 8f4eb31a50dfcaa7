"""`bursar.Agent` beside CrewAI's own classes, in an environment of its own, which `make test-sdk` makes."""

import os

collect_ignore_glob = [] if "TEST_CREWAI" in os.environ else ["test_*.py"]
# Before it is imported: it would tell its makers that it runs.
os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["CREWAI_DISABLE_TRACKING"] = os.environ["OTEL_SDK_DISABLED"] = (
    "true"
)
os.environ["CREWAI_TRACING_ENABLED"] = "false"
