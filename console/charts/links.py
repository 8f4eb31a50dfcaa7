"""Draws the links of a case on a circle: organizations and what they share; the table beside it has the same facts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from console.format import short_id
from console.mentions import Naming
from console.risk.words import word

#: As many nodes are drawn as can be told apart on a phone, and so many with their names.
DRAWN, NAMED = 24, 12
_WIDTH, _HEIGHT, _RADIUS = 400, 360, 140
_NAME = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An organization or an entity.

    Attributes:
        number: in the drawing and in the table.
        id: as the API has it.
        org_id: of an organization; empty for an entity.
        linked: the numbers of the nodes that it is linked with.
    """

    number: int
    id: str
    kind: str
    name: str
    org_id: str
    is_affected: bool
    linked: tuple[int, ...]


def nodes_of(file: Mapping[str, Any], naming: Naming) -> tuple[Node, ...]:
    """Return the nodes of a case's file, those that are linked next to each other."""
    links: dict[str, list[str]] = {each["id"]: [] for each in file["nodes"]}
    for edge in file["edges"]:
        pair = (f"organization:{edge['organization_id']}", edge["entity"])
        for one, other in (pair, pair[::-1]):
            links[one].append(other)
    order: dict[str, int] = {}
    for start in links:
        waiting = [start]
        while waiting:
            id = waiting.pop()
            if id not in order:
                order[id] = len(order) + 1
                waiting += reversed(links[id])
    of = {each["id"]: each for each in file["nodes"]}
    return tuple(
        Node(
            number=number,
            id=id,
            kind=of[id]["kind"],
            name=_named(id, naming),
            org_id=id.partition(":")[2] if of[id]["kind"] == "organization" else "",
            is_affected=of[id]["is_affected"],
            linked=tuple(sorted(order[each] for each in links[id])),
        )
        for id, number in order.items()
    )


def drawn(nodes: Sequence[Node]) -> Markup:
    """Return the drawing, which screen readers skip; organizations are round, what they share is square."""
    shown = nodes[:DRAWN]
    places = {node.number: _place(at, len(shown)) for at, node in enumerate(shown)}
    parts = Markup("").join(
        Markup('<path d="M{} {}L{} {}"/>').format(*places[node.number], *places[other])
        for node in shown
        for other in node.linked
        if node.number < other and other in places
    )
    for node in shown:
        (x, y), kind = places[node.number], "affected" if node.is_affected else "org" if node.org_id else "shared"
        shape = '<circle class="{}" cx="{}" cy="{}" r="13"/>' if node.org_id else _SQUARE
        at = (x, y) if node.org_id else (x - 12, y - 12)
        parts += Markup(shape).format(kind, *at) + Markup('<text x="{}" y="{}">{}</text>').format(x, y + 4, node.number)
        if len(shown) <= NAMED:
            name = node.name if len(node.name) <= _NAME else f"{node.name[: _NAME - 1]}…"
            parts += Markup('<text class="name" x="{}" y="{}">{}</text>').format(x, y + 29, escape(name))
    head = Markup('<svg class="links" viewBox="0 0 {} {}" aria-hidden="true">').format(_WIDTH, _HEIGHT)
    return head + parts + Markup("</svg>")


_SQUARE = '<rect class="{}" x="{}" y="{}" width="24" height="24"/>'


def _place(at: int, count: int) -> tuple[int, int]:
    angle = 2 * math.pi * at / max(count, 1) - math.pi / 2
    return round(_WIDTH / 2 + _RADIUS * math.cos(angle)), round(_HEIGHT / 2 - 8 + _RADIUS * math.sin(angle))


def _named(id: str, naming: Naming) -> str:
    kind, _, value = id.partition(":")
    if kind == "organization":
        return naming.names.get(value) or short_id(value)
    return f"{word('entity', kind)} {value[:6]}"
