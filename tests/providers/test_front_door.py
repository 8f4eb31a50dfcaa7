"""Asking the API from outside: what counts as an answer, and what does not."""

import httpx2
import pytest

from providers.front_door import PATH, FrontDoor
from providers.payments.base import ProviderUnavailable
from tests.support.receivers import Reply, answers, drops, receiving


async def test_answering_api_is_available() -> None:
    async with (
        receiving(answers(200, b"{}", content_type="application/json; charset=utf-8")) as server,
        httpx2.AsyncClient(trust_env=False, timeout=60) as client,
    ):
        await FrontDoor(client, f"http://127.0.0.1:{server.port}/").check()
        assert server.received[0].line == f"GET {PATH} HTTP/1.1"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answers(502, b"<html>", content_type="text/html"), "answered 502, text/html"),
        # A proxy that shows its own page.
        (answers(200, b"<html>", content_type="text/html"), "answered 200, text/html"),
        (answers(301, location="https://example.com/"), "answered 301"),
        (drops, "could not be reached"),
    ],
)
async def test_other_answers_are_not_taken_for_the_api(reply: Reply, said: str) -> None:
    async with receiving(reply) as server, httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        with pytest.raises(ProviderUnavailable, match=said):
            await FrontDoor(client, f"http://127.0.0.1:{server.port}").check()
