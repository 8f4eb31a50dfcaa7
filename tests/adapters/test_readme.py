"""The examples of the client's README that need a framework run as they stand."""

import re
from pathlib import Path
from typing import Any

import litellm
import pytest
from agents import Runner

from bursar import _asyncio
from bursar._async import _base
from bursar.testing import FakeBursar
from tests.adapters.conftest import paid
from tests.adapters.test_openai_agents import Fake, asks, text

PAGE = (Path(__file__).resolve().parents[2] / "sdk" / "README.md").read_text("utf-8")


@pytest.fixture
def example(fake: FakeBursar, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BURSAR_API_KEY", "bsk_readme")
    monkeypatch.setenv("BURSAR_API_URL", "http://bursar.fake")
    client = _asyncio.HTTPClient
    monkeypatch.setattr(_base, "HTTPClient", lambda **options: client(**{**options, "transport": fake}))
    fake.costs |= dict.fromkeys(("generate", "llm_call"), fake.costs["token"]) | {"research": fake.costs["web_search"]}

    def run(title: str) -> dict[str, Any]:
        section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile("\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL)), "sdk/README.md", "exec"), names)
        return names

    return run


def test_agent_of_langchain_is_charged(example: Any, fake: FakeBursar, capsys: pytest.CaptureFixture[str]) -> None:
    example("LangChain")
    assert capsys.readouterr().out == "The sea is deep.\n"
    assert paid(fake) == ["0.01"]


async def test_agent_of_the_agents_sdk_is_charged(example: Any, fake: FakeBursar) -> None:
    names = example("OpenAI Agents SDK")
    names["paid"].model_provider._provider = Fake(asks("sea"), [text("Deep.")])
    result = await Runner.run(names["agent"], "How deep is the sea?", run_config=names["paid"])
    assert result.final_output == "Deep."
    assert paid(fake) == ["0.4", "0.4", "0.5"]


@pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")
def test_call_through_litellm_is_charged(example: Any, fake: FakeBursar, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        example("LiteLLM")
    finally:
        litellm.logging_callback_manager._reset_all_callbacks()
    assert capsys.readouterr().out == "Deep.\n"
    assert paid(fake) == ["0.3"]
