"""What the help page shows: every status, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.format import titled
from console.status import STATUSES, Status
from console.widgets import Page


@dataclass(frozen=True, slots=True)
class Noun:
    label: str
    anchor: str
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Help(Page):
    nouns: tuple[Noun, ...]


def page(statuses: Mapping[str, Mapping[str, Status]] = STATUSES) -> Help:
    nouns = (Noun(titled(noun), noun, tuple(each.values())) for noun, each in statuses.items())
    return Help(title="Help", nouns=tuple(nouns))
