"""Streams of the API that the console hands on unread."""

from typing import Any

from api.outgoing import CUT
from console.gateway import Gateway


async def test_stream_that_is_handed_on_can_cut_the_connection_of_its_browser() -> None:
    cut, found = object(), list[Any]()

    async def api(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["extensions"][CUT])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a"})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.disconnect"}

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {},
        "http_version": "1.1",
        "scheme": "http",
        "server": None,
        "client": None,
    }
    through = Gateway(api, token=None, request_id="req_1", address="127.0.0.1")
    await through.pass_through({**scope, "extensions": {CUT: cut}}, nothing, nothing, "/payments", accept="text/csv")
    assert found == [cut]
