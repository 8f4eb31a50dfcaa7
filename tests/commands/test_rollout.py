"""Giving the work to a build, where Temporal answers once and not again."""

from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from commands.failure import CommandFailed
from commands.rollout import make_current


async def test_server_that_is_gone_after_the_change_is_no_bug() -> None:
    answer = SimpleNamespace(previous_deployment_version=SimpleNamespace(build_id=""))

    async def changed(_request: object) -> object:
        return answer

    async def gone(_request: object) -> object:
        raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")

    service = SimpleNamespace(set_worker_deployment_current_version=changed, describe_worker_deployment=gone)
    client: Any = SimpleNamespace(namespace="default", identity="me", workflow_service=service)
    with pytest.raises(CommandFailed, match=r"The build is current, .*connection refused") as failed:
        await make_current(client, "build-2", wait=0)
    assert failed.value.status == 1
