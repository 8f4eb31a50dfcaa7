"""Every example of the client's README runs as it stands, against the fake; those of agents in `tests/adapters`."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.testing import ActivityEnvironment

import bursar._calls
from bursar._async import _base as asynchronous
from bursar._sync import _base as threaded
from bursar.testing import FakeBursar

PAGE = (Path(__file__).resolve().parents[2] / "sdk" / "README.md").read_text("utf-8")
CODE = [
    (section.partition("\n")[0], code)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
    if not section.startswith(("Agents of ", "LiteLLM"))
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
    monkeypatch.setattr(bursar._calls, "_FIRST_PAUSE", 0.001)
    for module in (asynchronous, threaded):
        client = module.HTTPClient
        monkeypatch.setattr(
            module,
            "HTTPClient",
            lambda client=client, **options: client(**{**options, "transport": options["transport"] or fake}),
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
    elif "FakeBursar" not in code:
        assert fake.transfers
        assert fake.held == 0
