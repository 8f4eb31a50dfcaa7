"""A whole escrow over HTTP against a bare workflow with as many updates, and the time of one command."""

import asyncio
import statistics
import sys
import time
from itertools import count
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from dev.bench.bare_workflow import BareWorkflow
from dev.bench.client import Connection
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World

CLIENTS = 20
EACH = 5
ROUNDS = 5
NUMBERS = count(1)
COMMANDS = ("fund", "delivery", "validation")
BODIES: dict[str, dict[str, object]] = {
    "fund": {"source": "credits"},
    "delivery": {"artifacts": [{"uri": "https://example.com/result"}]},
    "validation": {"score": "0.95"},
}
SENDERS = {"fund": "client", "delivery": "agent", "validation": "validator"}


class Escrows:
    """Drives escrows over HTTP on one connection for each client; contracts are awarded before the clock starts."""

    def __init__(self, world: World) -> None:
        """Prepare the connections."""
        self.world = world
        self.connections = [Connection("127.0.0.1", world.port) for _ in range(CLIENTS)]

    async def post(self, client: int, path: str, key: str, body: dict[str, object]) -> dict[str, Any]:
        """Send one command and insist on success."""
        connection = self.connections[client]
        return await connection.post(f"/api/v1{path}", self.world.keys[key], f"bench-{next(NUMBERS)}", body)

    async def award(self, client: int) -> str:
        """Make a contract."""
        award = {"agent_id": self.world.ids["agent"], "title": "bench", "price": "0.01", "currency": "CREDIT"}
        return str((await self.post(client, "/contracts", "client", {**award}))["id"])

    async def whole(self, client: int, contract_id: str) -> None:
        """Create, fund, deliver, validate; the score releases."""
        escrow = await self.post(client, "/escrows", "client", {"contract_id": contract_id})
        for command in COMMANDS:
            escrow = await self.post(client, f"/escrows/{escrow['id']}/{command}", SENDERS[command], BODIES[command])
        assert escrow["status"] == "released", escrow

    async def rate(self) -> float:
        """Return escrows a second with twenty clients."""
        contracts = [[await self.award(client) for _ in range(EACH)] for client in range(CLIENTS)]

        async def one(client: int) -> None:
            for contract_id in contracts[client]:
                await self.whole(client, contract_id)

        began = time.perf_counter()
        await asyncio.gather(*(one(client) for client in range(CLIENTS)))
        return CLIENTS * EACH / (time.perf_counter() - began)

    def close(self) -> None:
        """Close the connections."""
        for connection in self.connections:
            connection.close()


async def _bare_rate(client: Client) -> float:
    async def one() -> None:
        for _ in range(EACH):
            workflow_id = f"bare-{next(NUMBERS)}"
            start = WithStartWorkflowOperation(
                BareWorkflow.run, id=workflow_id, task_queue="bare", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
            )
            await client.execute_update_with_start_workflow(BareWorkflow.take, start_workflow_operation=start)
            handle = client.get_workflow_handle(workflow_id)
            for _ in COMMANDS:
                await handle.execute_update(BareWorkflow.take)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return CLIENTS * EACH / (time.perf_counter() - began)


async def command_times(escrows: Escrows, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each command of `rounds` escrows, run one after the other."""
    times: dict[str, list[float]] = {name: [] for name in ("create", *COMMANDS)}
    for _ in range(rounds):
        contract_id = await escrows.award(0)
        began = time.perf_counter()
        escrow = await escrows.post(0, "/escrows", "client", {"contract_id": contract_id})
        times["create"].append(time.perf_counter() - began)
        for command in COMMANDS:
            began = time.perf_counter()
            await escrows.post(0, f"/escrows/{escrow['id']}/{command}", SENDERS[command], BODIES[command])
            times[command].append(time.perf_counter() - began)
    return times


async def run(world: World) -> list[BenchRow]:
    """Measure rates in turn, then the time of single commands."""
    temporal = await Client.connect(world.temporal_address)
    escrows = Escrows(world)
    bare = await asyncio.create_subprocess_exec(sys.executable, "-m", "dev.bench.bare_workflow", world.temporal_address)
    try:
        await escrows.rate()
        await _bare_rate(temporal)
        ours, theirs = await alternate(escrows.rate, lambda: _bare_rate(temporal), ROUNDS)
    finally:
        bare.terminate()
        await bare.wait()
    times = await command_times(escrows, 40)
    escrows.close()
    running = [seconds for name in COMMANDS for seconds in times[name]]
    p50 = statistics.median(running) * 1000
    create = statistics.median(times["create"]) * 1000
    return [
        BenchRow(
            name="escrow create → released over HTTP, 20 clients",
            value=ours,
            unit="escrows/s",
            against="bare workflow, as many updates",
            baseline=theirs,
            target=0.6,
        ),
        BenchRow(
            name="escrow command on a running escrow, one client, p50",
            value=p50,
            unit="ms",
            target=50,
            at_most=True,
            note=", ".join(f"{name} {statistics.median(times[name]) * 1000:.0f}" for name in COMMANDS) + " ms",
        ),
        BenchRow(
            name="escrow create, one client, p50", value=create, unit="ms", note="with the run's first workflow task"
        ),
    ]
