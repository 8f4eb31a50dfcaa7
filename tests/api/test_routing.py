"""A request is matched only with routes of its resource."""

import pytest
from fastapi.routing import APIRoute

from api.body import StrictRoute
from tests.api.conftest import Caller, good


async def test_request_is_not_matched_with_routes_of_other_resources(operator: Caller, monkeypatch) -> None:
    tried: list[str] = []
    matches = APIRoute.matches

    def counted(self, scope):
        tried.append(self.path)
        return matches(self, scope)

    monkeypatch.setattr(StrictRoute, "matches", counted)
    good(await operator.get("/audit?limit=1"))
    good(await operator.get("/api/audit?limit=1"))

    assert {path.split("audit")[0] for path in tried} == {"/api/v1/", "/api/"}


@pytest.mark.parametrize("path", ["/api/v1/audit/of/nobody", "/api/v1/nobody", "/api", "/api/v1", "/nobody"])
async def test_path_of_no_route_is_not_found(operator: Caller, path: str) -> None:
    answer = await operator.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
