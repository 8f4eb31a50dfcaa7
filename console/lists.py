"""What every list page does the same way: its whole choice is in the address, and days count in the reader's zone.

A page reads its choice with `asked`, gives `query` to the API, and makes chips, pager and CSV of the same choice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console.forms import Shown, at_fields
from console.gateway import Answer, Refused
from console.problems import Reaction, reaction_to
from console.visit import Visit
from console.widgets import Chip, Failed, Pager

ROWS = 50
#: The filters by day. `to` is the last day that counts, as people say it; the API takes the moment after it.
DAYS = ("from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks of a list.

    Attributes:
        path: of the list.
        given: the filters that are set, as they were typed.
        query: for the API: filters, cursor, number of rows, and the organization for operators.
        form: the filter form with what is set, and what is wrong with it.
        zone: in which days count.
        at_start: whether this is the first page.
    """

    path: str
    given: Mapping[str, str]
    query: Mapping[str, str | int]
    form: Shown
    zone: str
    at_start: bool

    @property
    def ok(self) -> bool:
        """Whether the API can be asked."""
        return not self.form.errors

    def address(self, **changed: str) -> str:
        """Return the address of the list with other filters; an empty one is left out, and so is the cursor."""
        kept = {name: value for name, value in {**self.given, **changed}.items() if value}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path


def asked(visit: Visit, *names: str, days: bool = True) -> Asked:
    """Read the choice of a list from the address.

    Args:
        visit: whose address it is.
        names: the filters, which are called as the API calls them.
        days: whether it has `from` and `to`.
    """
    given = visit.chosen(*names, *(DAYS if days else ()))
    zone = visit.choices.zone or "UTC"
    errors: dict[str, str] = {}
    query: dict[str, str | int] = {name: value for name, value in given.items() if name not in DAYS}
    for name in DAYS if days else ():
        if name in given:
            try:
                query[name] = moment_of(given[name], zone, following=name == "to")
            except ValueError:
                errors[name] = "This is not a day. Write it as 2026-11-22."
    if not errors and "from" in given and "to" in given and given["from"] > given["to"]:
        errors["from"] = "The first day is after the last one."
    cursor = visit.chosen("cursor")
    return Asked(
        path=visit.request.url.path,
        given=given,
        query={**query, **cursor, "limit": ROWS, **visit.scope},
        form=Shown(key="", values=given, errors=errors, summary=tuple(errors.items())),
        zone=zone,
        at_start=not cursor,
    )


def refused(of: Asked, answer: Answer) -> Asked:
    """Return the choice with what the API says is wrong with it, at its fields."""
    assert answer.problem is not None
    errors, summary = at_fields(answer.problem, {*of.given, *DAYS}, {})
    form = Shown(key="", values=of.given, errors=errors, summary=summary)
    return Asked(path=of.path, given=of.given, query=of.query, form=form, zone=of.zone, at_start=of.at_start)


def judged(of: Asked, answer: Answer | None) -> tuple[Asked, int]:
    """Return the choice with what the API says is wrong with it, and the status of the page.

    Args:
        of: the choice.
        answer: of the list; None where it was not asked because a filter is wrong.

    Raises:
        Refused: the list is not for whoever asks.
    """
    if answer is None:
        return of, 422
    if answer.problem is None:
        return of, 200
    match reaction_to(answer.problem):
        case Reaction.FIELDS:
            return refused(of, answer), answer.status
        case Reaction.UNKNOWN:
            return of, answer.status
        case _:
            raise Refused(answer)


async def read(
    visit: Visit, path: str, *names: str, days: bool = True, **fixed: str
) -> tuple[Asked, Answer | None, int]:
    """Read a list of the API as the address asks for it.

    Args:
        visit: whose address it is.
        path: of the list below `/api/v1`.
        names: as for `asked`.
        days: as for `asked`.
        fixed: what the page itself asks for.

    Returns:
        The choice, with what is wrong with it; the answer, None where it was not asked; the status of the page.

    Raises:
        Refused: for good, such as by the role.
    """
    of = asked(visit, *names, days=days)
    answer = await visit.ask(path, **{**of.query, **fixed}) if of.ok else None
    of, status = judged(of, answer)
    return of, answer if of.ok else None, status


def rows_of(answer: Answer | None) -> Mapping[str, Any]:
    """Return the body of a list, an empty one where there is no answer."""
    body: Mapping[str, Any] = answer.body if answer is not None and answer.ok else {"data": (), "next_cursor": None}
    return body


def silent(title: str, of: Asked, answer: Answer | None) -> Failed | None:
    """Return the section that stands in place of a list that did not answer; None where it did."""
    if answer is None or answer.problem is None or reaction_to(answer.problem) is not Reaction.UNKNOWN:
        return None
    return failed(title, of, answer)


def chips(of: Asked, labels: Mapping[str, str]) -> tuple[Chip, ...]:
    """Return what is chosen, each with the address of the list without it.

    Args:
        of: the choice.
        labels: the words for filters; one that has none is not shown.
    """
    return tuple(
        Chip(label=labels[name], value=value, remove=of.address(**{name: ""}))
        for name, value in of.given.items()
        if name in labels
    )


def pager(of: Asked, body: Mapping[str, Any], *, csv: bool = True) -> Pager:
    """Return the way through the list, and the address of the same choice as CSV."""
    following = body.get("next_cursor")
    query = urlencode(dict(of.given))
    download = f"{of.path}.csv?{query}" if query else f"{of.path}.csv"
    shown = len(body["data"])
    return Pager(
        next=of.address(cursor=following) if following else "",
        newest="" if of.at_start else of.address(),
        csv=download if csv else "",
        count=f"{shown} shown" if shown else "",
    )


def failed(title: str, of: Asked, answer: Answer) -> Failed:
    """Return the section that stands in place of a list that did not answer."""
    return Failed(title=title, request_id=answer.request_id, again=of.address())


async def csv(visit: Visit, path: str, noun: str, *names: str, days: bool = True, **fixed: str) -> Response:
    """Answer with everything that the address asks for, as CSV, named after organization, range and zone.

    Args:
        visit: whose address it is, `….csv` with the same query as the list.
        path: of the list below `/api/v1`.
        noun: what the rows are, for the name of the file.
        names: as for `asked`.
        days: as for `asked`.
        fixed: what the page itself asks for.
    """
    of = asked(visit, *names, days=days)
    await visit.frame()
    parts = [visit.organization.name if visit.organization else "platform", noun]
    parts += [of.given[name] for name in DAYS if name in of.given and name not in of.form.errors]
    name = "-".join(filter(None, (_plain(part) for part in (*parts, of.zone)))) + ".csv"
    query = {name: value for name, value in of.query.items() if name not in {"limit", "cursor"}}
    return visit.stream(path, {**query, **fixed}, accept="text/csv", name=name)


def end_of(day: str, zone: str) -> str:
    """Return when a day ends in a zone, as the API takes it; what is no day as it is, so that the API refuses it."""
    try:
        return moment_of(day, zone, following=True)
    except ValueError:
        return day


def moment_of(day: str, zone: str, *, following: bool) -> str:
    """Return when a day begins in a zone, or the one after it, as the API takes it."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        raise ValueError(day)
    begins = date.fromisoformat(day)
    if not 1970 <= begins.year < 9999:
        raise ValueError(day)
    begins += timedelta(days=1) if following else timedelta()
    return datetime.combine(begins, time(), ZoneInfo(zone)).isoformat()


def _plain(text: str) -> str:
    """Write a word so that every file system takes it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
