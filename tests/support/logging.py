"""Helpers of tests that configure logging."""

import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from temporalio import activity, workflow

from runtime import logs


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Puts back what `logs.configure` changes for the whole process."""
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    # A server that another test ran in this process has set its own logger's level, which a fresh process has not.
    server, server_level = logging.getLogger("uvicorn"), logging.getLogger("uvicorn").level
    server.setLevel(logging.NOTSET)
    messages = workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message
    structlog.contextvars.clear_contextvars()
    ours = structlog.get_config()
    yield
    if logs._SINK.stream is not None:
        logs._SINK.stream.close()
    logs._SINK.stream, logs._SINK.part, logs._SINK.redact = None, "", logs.Redactor()
    root.handlers[:] = handlers
    root.setLevel(level)
    server.setLevel(server_level)
    sys.excepthook = hook
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = messages
    structlog.configure(**ours)
    structlog.contextvars.clear_contextvars()
