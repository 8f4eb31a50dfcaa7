"""Every example of the client's README runs as it stands, against the fake; those of agents in `tests/adapters`."""

import asyncio
import os
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

import bursar._calls
from bursar._async import _base as asynchronous
from bursar._sync import _base as threaded
from bursar.testing import FakeBursar
from runtime.identity import new_id
from tests.api.conftest import Caller, good, new_key
from tests.sdk.temporal_work import Reports, give_up
from tests.sdk.test_reference import Validator
from tests.sdk.world import World

SDK = Path(__file__).resolve().parents[2] / "sdk"
PAGE = (SDK / "README.md").read_text("utf-8")
CODE = [
    (section.partition("\n")[0], code)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
    if not section.startswith(("LangChain", "OpenAI Agents SDK", "LiteLLM"))
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
]


async def ask(app: Any) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://shop.test") as http:
        assert (await http.post("/generate?prompt=hi")).json() == {"text": "HI"}


@pytest.mark.parametrize("code", [code for _, code in CODE], ids=[f"{name}-{at}" for at, (name, _) in enumerate(CODE)])
def test_example_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBursar(credits="1000", costs={"generate": "1", "research": "1"})
    monkeypatch.setenv("BURSAR_API_KEY", "bsk_readme")
    monkeypatch.setenv("BURSAR_API_URL", "http://bursar.fake")
    monkeypatch.setenv("BURSAR_OPERATOR_KEY", "bsk_operator")
    monkeypatch.setattr(bursar._calls, "_FIRST_PAUSE", 0.001)
    api = Validator() if "BURSAR_OPERATOR_KEY" in code else fake
    for module in (asynchronous, threaded):
        client = module.HTTPClient
        monkeypatch.setattr(
            module,
            "HTTPClient",
            lambda client=client, **options: client(**{**options, "transport": options["transport"] or api}),
        )
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "sdk/README.md", "exec"), names)
    if "app" in names:
        asyncio.run(ask(names["app"]))
    if "write_report" in names:
        for _ in range(2):
            asyncio.run(ActivityEnvironment().run(names["write_report"], "tides"))
        assert [each.amount for each in fake.transfers] == [Decimal(1), Decimal("7.5")]
    if "receive" in names:
        assert names["receive"](b"{}", {}) == 401
    elif isinstance(api, Validator):
        assert (api.faults, api.answered) == ([], ["costs.set"] * 3)
    elif "FakeBursar" not in code:
        assert fake.transfers
        assert fake.held == 0


#: Runs the activity of a file, and dies once a request to a path has taken effect.
WORKER = """
import asyncio, os, runpy, signal, sys
import httpx2
from temporalio.client import Client
from temporalio.worker import Worker
from bursar._async import _base

class Dies(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        if request.url.path.endswith(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        return response

if sys.argv[4] != "lives":
    made = _base.HTTPClient
    _base.HTTPClient = lambda **options: made(**{**options, "transport": Dies()})

async def main() -> None:
    client = await Client.connect(sys.argv[1])
    activities = [runpy.run_path(sys.argv[3])["write_report"]]
    await Worker(client, task_queue=sys.argv[2], activities=activities).run()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.temporal
async def test_activity_whose_worker_is_killed_again_and_again_has_paid_once(
    api: World, served: str, operator: Caller, temporal_address: str, tmp_path: Path
) -> None:
    """After its charge, after its hold, and after what was used of the hold was captured."""
    cost = {"cost": "1", "organization_id": api.more["org_id"]}
    good(await operator.ask("PUT", "/credits/costs/research", key=new_key(), json=cost))
    program, example, queue = tmp_path / "worker.py", tmp_path / "example.py", new_id("run")
    program.write_text(WORKER)
    example.write_text(next(code for name, code in CODE if name == "Temporal"))
    environment = {**os.environ, "BURSAR_API_URL": served, "BURSAR_API_KEY": api.token, "PYTHONPATH": str(SDK)}

    async def started(end: str) -> asyncio.subprocess.Process:
        arguments = (sys.executable, str(program), temporal_address, queue, str(example), end)
        return await asyncio.create_subprocess_exec(*arguments, env=environment)

    client = await Client.connect(temporal_address)
    async with Worker(client, task_queue=queue, workflows=[Reports]):
        handle = await client.start_workflow(Reports.run, "tides", id=queue, task_queue=queue)
        for end, paid in (("/use", ["1"]), ("/reserve", ["1"]), ("/capture", ["1", "7.5"])):
            process = await started(end)
            assert await process.wait() == -signal.SIGKILL
            assert await api.books() == paid
            await give_up(client, queue)
        process = await started("lives")
        try:
            assert await handle.result() == "All about tides."
        finally:
            process.kill()
            await process.wait()
    assert await api.books() == ["1", "7.5"]
    left = await api.client().billing.get_balance()
    assert (left.available, left.reserved) == (Decimal("91.5"), Decimal(0))
