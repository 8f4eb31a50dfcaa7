"""What clients are generated from: names of operations, schemas and tags."""

import keyword
import re
from collections import Counter

import pytest
from fastapi.routing import APIRoute

from api.openapi import ALIASES, TAGS, name_by_titles
from api.v1 import PRIVATE_ROUTERS, ROUTERS
from tests.support.openapi import operations, served


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
    handlers = Counter(
        route.endpoint
        for router in (*ROUTERS, *PRIVATE_ROUTERS)
        for route in router.routes
        if isinstance(route, APIRoute) and not route.deprecated
    )
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
    """Of two classes of one name, FastAPI puts the modules before both."""
    schemas = {name: {"title": "Status", "type": "string"} for name in (own, other)}
    with pytest.raises(ValueError, match="have one name"):
        name_by_titles({"components": {"schemas": schemas}})
