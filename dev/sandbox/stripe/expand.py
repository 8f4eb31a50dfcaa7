"""`expand`: ids in an answer replaced by their objects, and lists put in that are only answered when asked for."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe.core import EXPANSIONS, Context
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.schemas import expandable

MAX_DEPTH = 4


def expanded(ctx: Context, body: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Returns the answer with every path of fields, written with dots, expanded in it.

    Raises:
        Refusal: A path is deeper than four levels or names what cannot be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) - (steps[0] == "data") > MAX_DEPTH:
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property ({path}).", param="expand")
        replace(ctx, body, steps, path, "", ())
    return body


def replace(ctx: Context, place: Any, steps: list[str], path: str, kind: str, inside: tuple[str, ...]) -> None:
    """Follows a path into what it names, replacing ids on the way.

    Args:
        ctx: The transaction.
        place: What the rest of the path starts from.
        steps: The rest of the path.
        path: All of it, to be named in a refusal.
        kind: The object that `place` is a part of.
        inside: The way from that object to `place`.
    """
    if not steps or place is None:
        return
    if isinstance(place, list):
        for each in place:
            replace(ctx, each, steps, path, kind, inside)
        return
    if not isinstance(place, dict):
        raise not_expandable(path)
    if isinstance(place.get("object"), str):
        kind, inside = place["object"], ()
    name, *rest = steps
    inside = (*inside, name)
    made = EXPANSIONS.get((kind, ".".join(inside)))
    if made is not None and not isinstance(place.get(name), dict | list):
        place[name] = made(ctx, place)
    if made is None and not expandable(kind, inside) and not (rest and isinstance(place.get(name), dict | list)):
        raise not_expandable(path)
    value = place.get(name)
    if isinstance(value, list):
        place[name] = [(ctx.store.find(each) or each) if isinstance(each, str) else each for each in value]
    elif isinstance(value, str):
        place[name] = ctx.store.find(value) or value
    replace(ctx, place.get(name), rest, path, kind, inside)


def not_expandable(path: str) -> Exception:
    """Returns the refusal for a path that leads to nothing that expands."""
    message = (
        f"This property cannot be expanded ({path}). "
        "You may want to try expanding 'data." + path + "' if this is a list."
    )
    return invalid(message, param="expand")
