"""What a list page shows around its rows, and how it asks for them together with what stands beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from console import lists
from console.forms import Shown
from console.gateway import Answer, Query, Wanted
from console.lists import Asked
from console.problems import Reaction, reaction_to
from console.visit import Visit, came_from
from console.widgets import Chip, Failed, Pager


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What stands around the rows of a list. `failed` stands in their place where the API did not answer."""

    path: str
    form: Shown
    chips: tuple[Chip, ...]
    clear: str
    pager: Pager
    filtered: bool
    failed: Failed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a list page asked for: its choice, the rows as the API gives them, what was asked beside it, its status."""

    asked: Asked
    answer: Answer | None
    beside: Mapping[str, Answer]
    status: int

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of the API; none where it did not answer."""
        return tuple(lists.rows_of(self.answer)["data"])

    def listed(self, title: str, labels: Mapping[str, str], *, csv: bool = True) -> Listed:
        """Return what stands around them, under the title of the list and the words for its filters."""
        asked, answer = self.asked, self.answer
        return Listed(
            path=asked.path,
            form=asked.form,
            chips=lists.chips(asked, labels),
            clear=asked.path,
            pager=lists.pager(asked, lists.rows_of(answer), csv=csv),
            filtered=bool(asked.given) or not asked.at_start,
            failed=lists.silent(title, asked, answer),
        )


async def find(
    visit: Visit,
    path: str,
    *names: str,
    days: bool = True,
    at: str = "",
    fixed: Query | None = None,
    beside: Mapping[str, Wanted] | None = None,
) -> Found:
    """Ask for the rows that the address chooses, at once with what stands beside them.

    Args:
        visit: whose address it is.
        path: of the list, below `/api/v1`.
        names: its filters.
        days: whether it has `from` and `to`.
        at: the address of the page, where the request is a command's that shows it again.
        fixed: what the page always asks for.
        beside: what else the page shows, by a name of its own.

    Raises:
        Refused: the API refuses the list for another reason than its filters.
    """
    asked = lists.asked(visit, *names, days=days)
    asked = replace(asked, path=at) if at else asked
    wanted: dict[str, Wanted] = {"rows": (path, {**asked.query, **(fixed or {})})} if asked.ok else {}
    answers = await visit.ask_all(**wanted, **(beside or {}))
    answer, status = answers.pop("rows", None), 200 if asked.ok else 422
    if answer is not None and answer.problem is not None:
        status = answer.status
        match reaction_to(answer.problem):
            case Reaction.FIELDS:
                asked = lists.refused(asked, answer)
            case Reaction.UNKNOWN:
                status = 503
            case _:
                answer.need()
    return Found(asked=asked, answer=answer, beside=answers, status=status)


def list_of(visit: Visit, path: str) -> str:
    """Return where a command of a list leads on to: the list with the choice that it was given from."""
    came = urlsplit(came_from(visit.request) or "")
    if came.path != path:
        return path
    kept = [pair for pair in parse_qsl(came.query) if pair[0] not in {"notice", "cursor"}]
    return f"{path}?{urlencode(kept)}" if kept else path
