"""A history repeats requests that a busy machine refuses."""

import httpx2
import pytest

from dev.year.world import REPEATS, Caller, YearError


class Busy:
    """Answers with statuses in turn, and keeps the keys that came."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self.statuses, self.headers = list(statuses), headers
        self.keys: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return httpx2.Response(status, headers={} if status == 200 else self.headers, json={"status": status})

    def caller(self) -> Caller:
        return Caller(httpx2.AsyncClient(base_url="http://api", transport=httpx2.MockTransport(self)), "bsk_1")


async def test_request_that_may_be_repeated_is_repeated_under_its_key() -> None:
    busy = Busy(503, 409, 503, 200, **{"Retry-After": "0"})
    assert await busy.caller().post("/spends", {}) == {"status": 200}
    assert (len(busy.keys), len(set(busy.keys))) == (4, 1)


@pytest.mark.parametrize(("status", "asked"), [(503, REPEATS), (409, REPEATS), (402, 1), (500, 1)])
async def test_refusal_for_good_ends_the_history(status: int, asked: int) -> None:
    busy = Busy(status, **{"Retry-After": "0"})
    with pytest.raises(YearError, match=str(status)):
        await busy.caller().get("/me")
    assert len(busy.keys) == asked


async def test_answer_that_may_not_be_repeated_is_not() -> None:
    busy = Busy(503, 200)
    with pytest.raises(YearError, match="503"):
        await busy.caller().get("/me")
