"""Workers of a versioned deployment, and workers with encryption keys, run the same escrows."""

import base64
import json

import pytest
from pydantic import SecretStr
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from contracts import search_attributes
from dev.stack.temporal import find_temporal
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.workflows.conftest import stage_on

pytestmark = [pytest.mark.db, pytest.mark.temporal]

KEYS = "2026a:" + base64.b64encode(bytes(range(32))).decode()


async def server(settings: Settings) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(),
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(settings),
    )


async def make_current(client, build_id: str) -> None:
    """Route work to the version; the server knows it once a worker of it has polled."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name="bursar", build_id=build_id, identity="test"
    )
    for _ in range(200):
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                raise
        else:
            return
    raise AssertionError("no worker of the version appeared")


async def test_a_versioned_worker_gets_work_once_its_version_is_current(database_urls):
    environment = await server(Settings())
    async with environment, stage_on(environment, database_urls, build_id="build-1") as stage:
        await make_current(stage.client, "build-1")
        job = await (await stage.award()).delivered()
        await job.send("validate", job.validator, score_e4=9000)
        assert await job.end() == "released"


async def test_with_keys_nothing_of_a_run_is_readable_and_plain_signals_still_arrive(database_urls):
    environment = await server(Settings(encryption_keys=SecretStr(KEYS)))
    async with environment, stage_on(environment, database_urls) as stage:
        job = await (await stage.award()).delivered()
        await job.send("dispute", job.finance, reason="a secret reason")
        assert "lie in escrow" in str(await job.handle.query("__temporal_workflow_metadata"))
        history = json.dumps((await job.handle.fetch_history()).to_json_dict())
        encoded = base64.b64encode(b"secret reason").decode()[:12]
        assert "secret reason" not in history
        assert encoded not in history
        assert base64.b64encode(b"binary/encrypted").decode() in history
        # What the Temporal UI sends when no codec is configured there.
        plain = await environment.connect_client(data_converter=data_converter(Settings()))
        await plain.get_workflow_handle(job.handle.id).signal("resolve", {"payee_share": "0.5"})
        assert await job.end() == "split"
