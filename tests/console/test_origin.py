"""Forms of other sites reach nothing: who sent a form is the browser's word, and no page of another host has it."""

import pytest
from structlog.testing import capture_logs

from tests.console.fake import HERE, KEY, OWN, FakeApi, browser
from tests.support.cases import for_each

FORM = {"key": KEY, "next": ""}


@for_each(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{HERE}.evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
    ],
)
async def test_form_from_elsewhere_is_refused_and_nothing_reaches_the_api(headers: dict[str, str]) -> None:
    api = FakeApi()
    async with browser(api) as client:
        with capture_logs() as lines:
            answer = await client.post("/console/sign-in", data=FORM, headers=headers)
    assert answer.status_code == 403
    assert api.asked == []
    assert "set-cookie" not in answer.headers
    assert [line["event"] for line in lines] == ["console.foreign_form"]


@pytest.mark.parametrize("headers", [OWN, {"Origin": HERE}, OWN | {"Origin": "null"}])
async def test_form_of_our_own_page_is_taken(headers: dict[str, str]) -> None:
    async with browser(FakeApi()) as client:
        answer = await client.post("/console/sign-in", data=FORM, headers=headers)
    assert answer.status_code == 303


async def test_public_origin_stands_in_where_the_browser_says_less() -> None:
    public = "https://pay.example.com"
    async with browser(FakeApi(), here=public, public_url=f"{public}/base") as client:
        taken = await client.post("/console/sign-in", data=FORM, headers={"Origin": public})
        foreign = await client.post("/console/sign-in", data=FORM, headers={"Origin": "https://pay.example.com:444"})
    assert (taken.status_code, foreign.status_code) == (303, 403)


async def test_loopback_origin_counts_on_loopback_only() -> None:
    """A page of a host whose name was bound to 127.0.0.1 is of that host."""
    async with browser(FakeApi(), here="http://evil.example:8000") as client:
        answer = await client.post("/console/sign-in", data=FORM, headers={"Origin": "http://evil.example:8000"})
    assert answer.status_code == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_every_unsafe_method_is_checked(method: str) -> None:
    async with browser(FakeApi()) as client:
        assert (await client.request(method, "/console/sign-in")).status_code == 403
