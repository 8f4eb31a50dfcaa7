"""Lists by cursor and searches, in Stripe's envelopes."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe.core import Context
from dev.sandbox.stripe.errors import invalid

MAX_LIMIT, DEFAULT_LIMIT = 100, 10


def limit_of(params: dict[str, Any]) -> int:
    """Returns how many objects a page may have.

    Raises:
        Refusal: It is not from 1 to 100.
    """
    limit = params.get("limit", DEFAULT_LIMIT)
    if limit < 1:
        raise invalid("This value must be greater than or equal to 1.", param="limit", code="parameter_invalid_integer")
    if limit > MAX_LIMIT:
        message = f"This value must be less than or equal to {MAX_LIMIT} (it currently is '{limit}')."
        raise invalid(message, param="limit", code="parameter_invalid_integer")
    return int(limit)


def answer(ctx: Context, kind: str, params: dict[str, Any], url: str, *fields: str, **equal: Any) -> dict[str, Any]:
    """Returns one page of the objects of a kind, newest first.

    Args:
        ctx: The transaction.
        kind: The objects' type.
        params: `limit`, `starting_after`, `ending_before`, `created` and the filters.
        url: The list's path.
        fields: Parameters that must equal the object's field of the same name.
        equal: Further fields and what each must be.
    """
    limit = limit_of(params)
    cursors = {name: params.get(name) for name in ("starting_after", "ending_before")}
    if all(cursors.values()):
        raise invalid("You cannot use both `starting_after` and `ending_before`.", param="starting_after")
    for name, cursor in cursors.items():
        if cursor is not None and ctx.store.find(cursor) is None:
            noun = kind.replace(".", " ").replace("_", " ")
            raise invalid(f"No such {noun}: '{cursor}'", param=name, code="resource_missing")
    created = params.get("created")
    if isinstance(created, int):
        created = {"gte": created, "lte": created}
    found = ctx.store.page(
        kind,
        {**{field: params[field] for field in fields if field in params}, **equal},
        created=created,
        after=cursors["starting_after"],
        before=cursors["ending_before"],
        limit=limit + 1,
    )
    more = len(found) > limit
    page = found[-limit:] if cursors["ending_before"] else found[:limit]
    return {"object": "list", "data": page, "has_more": more, "url": url}


def whole(objects: list[dict[str, Any]], url: str) -> dict[str, Any]:
    """Returns a list that holds all there is, as one inside another object."""
    return {"object": "list", "data": objects, "has_more": False, "url": url}
