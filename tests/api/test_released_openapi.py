"""The API stays compatible: the document of this code against `docs/openapi.json`, which was released."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from dev.openapi import WAY_OUT, breaks, released
from tests.support.cases import for_each
from tests.support.openapi import served

FUND = "/api/v1/escrows/{escrow_id}/fund"
ESCROW = "/api/v1/escrows/{escrow_id}"
LIST = "/api/v1/escrows"


def test_nothing_that_was_released_is_broken() -> None:
    found = breaks(released(), served())
    assert found == [], "\n".join([*found, WAY_OUT])


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def status_filter(document: dict[str, Any]) -> dict[str, Any]:
    parameters = document["paths"][LIST]["get"]["parameters"]
    found: dict[str, Any] = next(each for each in parameters if each["name"] == "status")
    return found


def required(document: dict[str, Any]) -> None:
    schema(document, "Fund")["required"] = ["note"]
    schema(document, "Fund")["properties"]["note"] = {"type": "string"}


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "operation": (lambda new: new["paths"].pop(FUND), f"POST {FUND} is gone."),
    "name": (
        lambda new: new["paths"][FUND]["post"].update(operationId="escrows.pay"),
        f"POST {FUND} was called escrows.fund and is called escrows.pay now.",
    ),
    "field of an answer": (
        lambda new: schema(new, "EscrowView")["properties"].pop("funded_amount"),
        "(EscrowView) no longer has `funded_amount`.",
    ),
    "field that is always there": (
        lambda new: schema(new, "EscrowView")["required"].remove("status"),
        "(EscrowView) may be without `status` now.",
    ),
    "type of an answer": (
        lambda new: schema(new, "EscrowView")["properties"].update(version={"type": "string"}),
        "(EscrowView), `version` was integer and is string now.",
    ),
    "null in an answer": (
        lambda new: schema(new, "EscrowView")["properties"].update(amount={"type": ["string", "null"]}),
        "(EscrowView), `amount` was string and is null, string now.",
    ),
    "required field": (required, "(Fund) requires `note` now."),
    "field of a body": (lambda new: schema(new, "Fund")["properties"].pop("asset"), "(Fund) no longer has `asset`."),
    "enum of a body": (
        lambda new: schema(new, "Fund")["properties"]["source"].update(enum=["credits"]),
        "(Fund), `source` no longer takes balance.",
    ),
    "length of a body": (
        lambda new: schema(new, "ArtifactBody")["properties"]["uri"].update(maxLength=10),
        "`uri` has maxLength 10 now, where it had 1000.",
    ),
    "required parameter": (
        lambda new: status_filter(new).update(required=True),
        f"GET {LIST} requires `status` in the query now.",
    ),
    "parameter": (
        lambda new: new["paths"][LIST]["get"]["parameters"].remove(status_filter(new)),
        f"GET {LIST} no longer takes `status` in the query.",
    ),
    "event": (lambda new: new["webhooks"].pop("escrow.funded"), "The event escrow.funded is gone."),
    "field of an event": (
        lambda new: schema(new, "OutboxEventView")["properties"].pop("subject"),
        "no longer has `subject`.",
    ),
}


@pytest.mark.slow
@for_each("what", BROKEN)
def test_breaking_changes_are_described_in_a_sentence(what: str) -> None:
    change, sentence = BROKEN[what]
    new = deepcopy(served())
    change(new)
    assert any(each.endswith(sentence) for each in breaks(served(), new)), breaks(served(), new)


def test_additions_break_nothing() -> None:
    new = deepcopy(served())
    new["paths"]["/api/v1/novelties"] = deepcopy(new["paths"][LIST])
    schema(new, "EscrowView")["properties"]["colour"] = {"type": "string"}
    schema(new, "EscrowView")["required"].append("colour")
    schema(new, "Fund")["properties"]["colour"] = {"type": "string"}
    schema(new, "EscrowStatus")["enum"].append("paused")
    schema(new, "ArtifactBody")["properties"]["uri"]["maxLength"] = 2000
    new["paths"][LIST]["get"]["parameters"].append({"name": "colour", "in": "query", "schema": {"type": "string"}})
    new["webhooks"]["escrow.painted"] = new["webhooks"]["escrow.funded"]
    assert breaks(served(), new) == []
