"""A web process and a worker in one, for the tests of tracing: OpenTelemetry can be set up once in a process only.

Prints the data that the test checks as one line of JSON.
"""

import asyncio
import json
import os
import sys

import httpx2
from fastapi import APIRouter, FastAPI
from temporalio.worker import Worker

from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect
from tests.runtime.traced_workflow import Books, TracedWorkflow

#: The trace of the caller of the API.
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


async def main() -> None:
    settings = Settings()
    telemetry = Telemetry(settings, "test")
    database = Database(os.environ["TEST_DATABASE_URL"], os.environ["TEST_DATABASE_URL"])
    client = await connect(settings, plugins=telemetry.temporal_plugins())
    queue = new_id("queue")
    router = APIRouter(prefix="/escrows")

    @router.post("/{escrow_id}/pay")
    async def pay(escrow_id: str) -> dict[str, int]:
        handle = client.get_workflow_handle(escrow_id)
        return {"paid": await handle.execute_update(TracedWorkflow.pay, 21)}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    app = FastAPI(telemetry=telemetry.fastapi())
    app.include_router(router, prefix="/api/v1")
    transport = httpx2.ASGITransport(app=app)
    workflow_id = new_id("run")
    async with (
        Worker(client, task_queue=queue, workflows=[TracedWorkflow], activities=[Books(database).post]),
        httpx2.AsyncClient(transport=transport, base_url="http://api") as http,
    ):
        handle = await client.start_workflow(TracedWorkflow.run, id=workflow_id, task_queue=queue)
        headers = {
            "baggage": "user=SECRETBAGGAGE",
            "traceparent": f"00-{CALLER}-00f067aa0ba902b7-01",
            "tracestate": "vendor=SECRETSTATE",
        }
        answer = await http.post(f"/api/v1/escrows/{workflow_id}/pay", headers=headers)
        await http.get("/api/v1/escrows/healthz")
        await http.get("/nowhere/at-all")
        await handle.result()
    history = (await handle.fetch_history()).to_json()
    await database.close()
    telemetry.close()
    loaded = sorted({".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("opentelemetry.")})
    sys.stdout.write(json.dumps({"paid": answer.json()["paid"], "loaded": loaded, "history": history}))


if __name__ == "__main__":
    asyncio.run(main())
