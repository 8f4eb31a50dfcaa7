"""Every example of the client's README runs as it stands, against the fake."""

import re
from pathlib import Path

import pytest

import bursar._calls
from bursar._async import _base as asynchronous
from bursar._sync import _base as threaded
from bursar.testing import FakeBursar

PAGE = (Path(__file__).resolve().parents[2] / "sdk" / "README.md").read_text("utf-8")
CODE = [
    (section.partition("\n")[0], code)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
]


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
    exec(compile(code, "sdk/README.md", "exec"), {"__name__": "__main__"})
    if "FakeBursar" not in code:
        assert fake.transfers
        assert fake.held == 0
