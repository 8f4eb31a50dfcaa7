"""The servers that the tests of a run share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.process import StackError
from tests.support.servers import ADDRESS_VARIABLE, TestServers, ask


def test_server_that_did_not_start_is_started_again_for_the_next_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (ADDRESS_VARIABLE, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "set again when the test is over")
    servers = TestServers(tmp_path)
    starts: Iterator[StackError | dict[str, str]] = iter([StackError("a busy machine"), {"address": "here"}])

    def start() -> dict[str, str]:
        outcome = next(starts)
        if isinstance(outcome, StackError):
            raise outcome
        return outcome

    servers._starters["temporal"] = start
    try:
        with pytest.raises(RuntimeError, match="the shared temporal server did not start: StackError: a busy machine"):
            ask("temporal")
        assert ask("temporal") == ask("temporal") == {"address": "here"}
    finally:
        servers.stop()
