"""`manage rollout`: makes a build the current version of the worker, once its workers poll; idempotent.

The server assigns new workflow tasks to the current build only, also of runs that began with another one. So workers of
the new build are started first, and old ones are stopped after this command.
"""

import argparse
import asyncio
import sys

from temporalio.api.enums.v1.task_queue_pb2 import RoutingConfigUpdateState
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from commands.failure import CommandFailed
from contracts.common.queues import DEPLOYMENT
from runtime.settings import Settings, read_settings
from runtime.temporal import connect

PAUSE_SECONDS = 0.5
#: Errors of the server before workers of the build have polled every task queue.
_NOT_YET = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION})


def run(given: argparse.Namespace) -> int:
    settings = read_settings()
    build_id = given.build_id or settings.build_id
    if build_id is None:
        sys.stdout.write("Workers have no BURSAR_BUILD_ID: each one works as soon as it runs.\n")
        return 0
    before = asyncio.run(_rollout(settings, build_id, given.wait))
    change = "was current already" if before == build_id else f"is current; before it: {before or 'none'}"
    sys.stdout.write(f"build {build_id} {change}\n")
    return 0


async def _rollout(settings: Settings, build_id: str, wait: float) -> str:
    try:
        client = await connect(settings)
    except RuntimeError as error:
        raise CommandFailed(str(error)) from error
    return await make_current(client, build_id, wait=wait)


async def make_current(client: Client, build_id: str, *, wait: float) -> str:
    """Make a build current, and return the previous one; empty without one.

    Args:
        client: of the namespace.
        build_id: of the started workers.
        wait: the time limit for their first poll, in seconds.

    Raises:
        CommandFailed: they did not poll, or the server refuses this client. Nothing was changed.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build_id, identity=client.identity
    )
    give_up_at = asyncio.get_running_loop().time() + wait
    while True:
        try:
            answer = await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            if error.status not in _NOT_YET:
                raise CommandFailed(f"Temporal does not make build {build_id} current: {error.message}") from error
            if asyncio.get_running_loop().time() > give_up_at:
                raise CommandFailed(
                    f"Build {build_id} does not become current, because its workers do not ask for work: "
                    f"{error.message}. The workers of before go on. Read the log of the new ones.",
                    status=1,
                ) from error
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            break
    await _known_everywhere(client, give_up_at)
    return answer.previous_deployment_version.build_id


async def _known_everywhere(client: Client, give_up_at: float) -> None:
    """Wait until every task queue knows the current build: until then one may still assign work to the old one."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    while True:
        try:
            answer = await client.workflow_service.describe_worker_deployment(request)
        except RPCError as error:
            raise CommandFailed(
                f"The build is current, and Temporal does not say whether every task queue knows it: {error.message}. "
                "Repeat this.",
                status=1,
            ) from error
        state = answer.worker_deployment_info.routing_config_update_state
        if state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS:
            return
        if asyncio.get_running_loop().time() > give_up_at:
            raise CommandFailed("The build is current, and not every task queue knows it yet: repeat this.", status=1)
        await asyncio.sleep(PAUSE_SECONDS)
