"""The OpenAPI document for generated clients: names of operations, schemas and tags."""

import keyword
import re
from collections import Counter

import pytest

from api.openapi import ALIASES, TAGS, name_by_titles
from tests.support.openapi import operations, problem_of, resolved, served
from tests.support.routes import ROUTES


def test_operations_are_called_by_resource_and_verb_each_once() -> None:
    ids = [operation["operationId"] for _, _, operation in operations(served())]
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    for _, _, operation in operations(served()):
        tag, _, verb = operation["operationId"].partition(".")
        assert operation["tags"] == [tag]
        assert re.fullmatch("[a-z]+(_[a-z]+)*", verb), operation["operationId"]
        assert not keyword.iskeyword(verb), operation["operationId"]


def test_every_tag_is_a_resource_with_a_sentence() -> None:
    used = {tag for _, _, operation in operations(served()) for tag in operation["tags"]}
    assert used == TAGS.keys()
    assert {each["name"]: each["description"] for each in served()["tags"]} == TAGS
    assert [tag for tag in TAGS if not re.fullmatch("[a-z]+(_[a-z]+)*", tag)] == []


def test_an_operation_has_one_path_and_the_others_are_deprecated_aliases() -> None:
    handlers = Counter(route.endpoint for route in ROUTES if not route.deprecated)
    assert [handler.__name__ for handler, paths in handlers.items() if paths > 1] == []
    for path, _, operation in operations(served()):
        assert operation.get("deprecated", False) == (operation["tags"] == [ALIASES]), path


def test_pitfall_47_schemas_have_one_name_each_without_a_module() -> None:
    schemas = served()["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch("[A-Z][A-Za-z0-9]+", name)] == []
    assert [name for name, schema in schemas.items() if schema.get("title", name) != name] == []
    folded = Counter(name.lower() for name in schemas)
    assert [name for name, times in folded.items() if times > 1] == []


@pytest.mark.parametrize(("own", "other"), [("domain__escrow__Status", "Status"), ("StatusA", "Status")])
def test_pitfall_47_two_schemas_of_one_name_are_not_served(own: str, other: str) -> None:
    """FastAPI puts the module names before two classes of one name."""
    schemas = {name: {"title": "Status", "type": "string"} for name in (own, other)}
    with pytest.raises(ValueError, match="have one name"):
        name_by_titles({"components": {"schemas": schemas}})


def test_a_field_of_a_body_has_no_default_that_a_client_would_send() -> None:
    schemas = served()["components"]["schemas"]
    fund = schemas["Fund"]["properties"]
    assert "default" not in fund["off_session"]
    assert fund["off_session"]["description"].endswith("Default: false.")
    assert schemas["AgentView"]["properties"].keys() >= {"id", "name"}


def test_a_refusal_that_many_operations_share_is_written_once() -> None:
    found = Counter(
        (status, *problem_of(served(), response)["examples"])
        for _, _, operation in operations(served())
        for status, response in operation["responses"].items()
        if "$ref" not in response and problem_of(served(), response) and not operation.get("deprecated")
    )
    assert [shared for shared, times in found.items() if times > 8] == []
    assert served()["components"]["responses"].keys() >= {"Unauthenticated", "NotFound", "RateLimited", "Internal"}


def test_every_answer_declares_its_headers() -> None:
    for path, method, operation in operations(served()):
        keyed = "idempotency-key" in [each["name"] for each in operation.get("parameters", ())]
        for status, response in operation["responses"].items():
            headers = resolved(served(), response)["headers"]
            assert "X-Request-Id" in headers, (path, method, status)
            assert ("Idempotent-Replayed" in headers) == (keyed and status < "300"), (path, method, status)
            assert "Retry-After" in headers or status not in {"429", "503"} or path.endswith("/readyz")
            for name, reference in headers.items():
                assert resolved(served(), reference)["description"], name


def test_created_objects_that_can_be_read_have_a_location() -> None:
    headers = {
        path: item["post"]["responses"]["201"]["headers"]
        for path, item in served()["paths"].items()
        if "201" in item.get("post", {}).get("responses", {})
    }
    located = {path.removeprefix("/api/v1") for path, named in headers.items() if "Location" in named}
    assert located >= {"/agents", "/contracts", "/escrows", "/payments", "/projects", "/organizations", "/departments"}
    assert "/credits/use" not in located
    versioned = {path.removeprefix("/api/v1") for path, named in headers.items() if "ETag" in named}
    assert versioned == {
        *("/agents", "/contracts", "/escrows", "/payments", "/projects", "/organizations"),
        *("/billing/invoices", "/credits/grants", "/purchase-orders", "/risk/rules"),
    }
