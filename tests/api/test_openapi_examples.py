"""Examples of good answers: nothing is left open in them, and what adds up in an answer adds up in its example."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from api.openapi_examples import UNKNOWN
from api.openapi_story import OPERATIONS, SCHEMAS
from tests.support.cases import for_each
from tests.support.openapi import operations, served

FINAL = {"released", "refunded", "split", "cancelled", "expired"}
#: By the fields that tell an object: what they come to, as sums that are equal.
SUMS: dict[str, tuple[str, str]] = {
    "escrow": ("funded_amount", "released_amount + refunded_amount + commission_amount"),
    "invoice": ("subtotal + tax", "total"),
    "what is due": ("total", "applied_credits + rounding + credited + written_off + paid + due"),
    "asset": (
        "total + owed + invoiced",
        "available + held + expired + in_use + in_escrow + in_payments + in_payouts + earnings.total",
    ),
    "earnings": ("total", "available + pending + frozen + granted + own_work"),
    "balance": ("total", "available + reserved"),
    "spend": ("amount", "captured + released + held"),
    "document": ("amount", "net + tax"),
    "limit": ("amount", "spent + held + remaining"),
    "limit of a department": ("limit", "spent + remaining"),
    "exposure": ("limit", "unsettled + left"),
    "cost": ("cost", "creator_share + platform_share"),
    "side": ("amount", "net + fee"),
    "clearing": ("held", "booked + unexplained"),
    "result": ("revenue.total", "expenses.total + result"),
    "sheet": ("assets.total", "liabilities.total + equity.total + result"),
    "payment": ("received_amount", "refunded_amount + disputed_amount + refundable_amount"),
    "totals": ("closing_debit", "closing_credit"),
}
#: What sums of parts come to: the list, the field of its parts, and the whole.
PARTS = {
    "lines of an invoice": ("lines", "net", "subtotal"),
    "taxes of an invoice": ("taxes", "amount", "tax"),
    "lines of the next invoice": ("lines", "amount", "net"),
    "payments of an invoice": ("payments", "amount", "paid"),
    "lines of a payout": ("lines", "paid", "amount"),
    "section": ("lines", "amount", "total"),
    "lines of a statement": ("lines", "amount", "earned"),
}


def examples() -> Iterator[tuple[str, Any]]:
    for _, _, operation in operations(served()):
        for status, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json")
            if status.startswith("2") and media is not None:
                yield operation["operationId"], media["example"]


def values(node: Any) -> Iterator[Any]:
    yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from values(part)


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, example in examples():
        yield from ((name, node) for node in values(example) if isinstance(node, dict))


def value(node: dict[str, Any], path: str) -> Decimal | None:
    found: Any = node
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str):
        return None
    return Decimal(found) if found.replace(".", "").replace("-", "").isdigit() else None


def total(node: dict[str, Any], written: str) -> Decimal | None:
    amounts = [value(node, path.strip()) for path in written.split("+")]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def is_meant(what: str, node: dict[str, Any]) -> bool:
    """Of all that have such fields: escrows that ended, invoices that are no drafts, uses as a whole, totals."""
    state = node.get("status")
    meant = {
        **{"escrow": state in FINAL, "what is due": state != "draft", "spend": "action" in node},
        **{"totals": "line" not in node, "section": "due" not in node},
    }
    return meant.get(what, True)


def test_no_example_leaves_a_text_open() -> None:
    left = Counter(name for name, example in examples() for node in values(example) if node == UNKNOWN)
    assert left == {}, "Give the fields a word in api/openapi_words.py."


@for_each("what", SUMS)
def test_amounts_that_belong_together_add_up(what: str) -> None:
    left, right = SUMS[what]
    compared = 0
    for name, node in objects():
        sums = total(node, left), total(node, right)
        if is_meant(what, node) and None not in sums:
            compared += 1
            assert sums[0] == sums[1], (name, node)
    assert compared > 0


@pytest.mark.parametrize("what", PARTS)
def test_parts_come_to_the_whole(what: str) -> None:
    parts, amount, whole = PARTS[what]
    compared = 0
    for name, node in objects():
        found = node.get(parts)
        amounts = [value(part, amount) for part in found if isinstance(part, dict)] if isinstance(found, list) else []
        if is_meant(what, node) and amounts and None not in amounts and value(node, whole) is not None:
            compared += 1
            assert sum(map(Decimal, amounts)) == value(node, whole), (name, node)
    assert compared > 0


def test_an_answer_to_a_command_shows_the_state_after_it() -> None:
    shown = {name: example.get("status") for name, example in examples() if isinstance(example, dict)}
    assert [shown[f"escrows.{verb}"] for verb in ("create", "fund", "deliver", "open_dispute", "cancel")] == [
        *("open", "funded", "delivered", "disputed", "cancelled"),
    ]
    assert (shown["invoices.void"], shown["spend_controls.freeze"]) == ("void", "frozen")


def test_what_the_story_tells_is_of_the_document() -> None:
    """What was renamed or removed would be told in vain."""
    schemas, names = served()["components"]["schemas"], {name for name, _ in examples()}
    assert [
        f"{schema}.{field}"
        for schema, told in SCHEMAS.items()
        for field in told
        if field not in schemas.get(schema, {}).get("properties", {})
    ] == []
    assert OPERATIONS.keys() - names == set()


def test_payer_and_payee_are_two() -> None:
    for name, node in objects():
        if "payer_org_id" in node:
            assert node["payer_org_id"] != node["payee_org_id"], name
