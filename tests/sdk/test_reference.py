"""Each call of `docs/reference/python-client.md` is a request that the API accepts, and the client reads its answer."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from fastapi.datastructures import QueryParams
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from starlette.routing import Match

from bursar import Bursar
from dev.openapi import application
from tests.support.cases import for_each
from tests.support.openapi import resolved, served

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "python-client.md").read_text("utf-8")
CALLS = [
    ast.unparse(statement)
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for statement in ast.parse(code).body
    if isinstance(statement, ast.Expr)
]


@cache
def routes() -> list[APIRoute]:
    return [route for route in application().routes if isinstance(route, APIRoute)]


def route_of(method: str, path: str) -> APIRoute:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next(route for route in routes() if route.matches(scope)[0] is Match.FULL)


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from dependants(each)


class Validator(httpx2.BaseTransport):
    """Validates each request by the fields of its endpoint, and answers with the example of the document."""

    def __init__(self) -> None:
        self.faults: list[Any] = []
        self.answered: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        route = route_of(request.method, request.url.path)
        query, is_json = QueryParams(request.url.query), request.headers.get("content-type") == "application/json"
        body = json.loads(request.read()) if is_json else None
        self.faults += [
            fault
            for dependant in dependants(route.dependant)
            for fault in request_params_to_args(dependant.query_params, query)[1]
        ]
        if route.body_field is not None:
            self.faults += route.body_field.validate(body, {}, loc=("body",))[1] or []
        documented = served()["paths"][route.path_format][request.method.lower()]
        status = next(int(code) for code in documented["responses"] if code.startswith("2"))
        content = resolved(served(), documented["responses"][str(status)]).get("content", {})
        self.answered.append(documented["operationId"])
        if "application/json" in content:
            return httpx2.Response(status, json=content["application/json"]["example"])
        media = next(iter(content), "text/plain")
        return httpx2.Response(
            status, content=b'event: marks\ndata: {"credits": 1}\n\n', headers={"content-type": media}
        )


@for_each("call", CALLS)
def test_call_is_accepted_and_its_answer_read(call: str) -> None:
    server = Validator()
    with Bursar("bsk_reference", base_url="http://bursar.fake", transport=server) as client:
        answer = eval(call, {"client": client})
        if isinstance(answer, Iterable):
            next(iter(answer), None)
    assert server.faults == []
    assert server.answered
