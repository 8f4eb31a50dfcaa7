"""Shared code of list pages: the address holds all filters, and days count in the reader's zone.

A page asks with `find` for what the address chooses, shows what `listed` returns around its rows, and gives the same
choice as CSV with `csv`.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console import picker
from console.arrival import came_from
from console.format import Prefs, count, currency_name, short_id
from console.forms import FormState, at_fields, query_form
from console.gateway import Answer, Problem, Query, Refused, Wanted, request_id_of
from console.picker import NAMES, Sources
from console.problems import Reaction, reaction_to
from console.refusals import not_found
from console.texts import _
from console.visit import Visit
from console.widgets import Chip, Failed, Pager
from domain.common.ids import is_id
from domain.common.money import CREDIT, SLOT

ROWS = 50
#: The most that the API lists at once, and how many of these one row is looked for in.
_MOST, _PAGES = 200, 20
#: So many of a noun a form has to choose from; of others the id is typed.
_CHOICES = 50
#: The filters that are an id, and where the names to choose from are; operators alone choose an organization.
_NOUNS = {"agent_id": "agents", "project_id": "projects", "organization_id": "organizations"}
_WHOSE = "organization_id"
_USUAL = (CREDIT, "USD", "EUR")
#: Pairs of a value and its words.
Options = tuple[tuple[str, str], ...]
#: The filters by day. `to` is the last day that counts, as people say it; the API takes the moment after it.
DAYS = ("from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """Query of a list, as the address gives it.

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
    form: FormState
    zone: str
    at_start: bool

    @property
    def ok(self) -> bool:
        return not self.form.errors

    def address(self, **changed: str) -> str:
        """Return the address of the list with other filters; an empty one is left out, and so is the cursor."""
        kept = {name: value for name, value in {**self.given, **changed}.items() if value}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path

    def counted(self, *tabbed: str) -> Query:
        """Return what the API is asked for the counts of tabs: the choice without what these take the place of."""
        return {name: value for name, value in self.query.items() if name not in {*tabbed, "limit", "cursor"}}


def asked(visit: Visit, *names: str, days: bool = True) -> ListQuery:
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
                errors[name] = _("Invalid date. Use the format 2026-11-22.")
    if not errors and "from" in given and "to" in given and given["from"] > given["to"]:
        errors["from"] = _("The first day is after the last day.")
    cursor = visit.chosen("cursor")
    return ListQuery(
        path=visit.request.url.path,
        given=given,
        query={**query, **cursor, "limit": ROWS, **visit.scope},
        form=query_form(given, errors),
        zone=zone,
        at_start=not cursor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """Everything around the rows of a list. `failed` is shown instead of them if the API did not answer.

    Attributes:
        choices: what filters choose between, by their names.
        picks: the filters that pick an object by its name.
        filtered: whether there are rows that the filters leave out.
    """

    path: str
    form: FormState
    chips: tuple[Chip, ...]
    clear: str
    pager: Pager
    filtered: bool
    failed: Failed | None = None
    choices: Mapping[str, Options] = field(default_factory=dict)
    picks: Mapping[str, "Choice"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListResult:
    """Result of a list page's queries: its filters, the API's answer, the extra answers, the status of the page.

    `answer` is None if the API was not asked, because a filter is wrong.
    """

    asked: ListQuery
    answer: Answer | None
    extra: Mapping[str, Answer]
    status: int
    choices: Mapping[str, Options] = field(default_factory=dict)
    more: frozenset[str] = frozenset()
    #: Whether the list has no rows without its filters either.
    is_bare: bool = False
    #: The addresses that suggest names for filters, by their names.
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of the API; none if it did not answer."""
        return tuple(self.answer.body["data"]) if self.answer is not None and self.answer.ok else ()

    def listed(
        self,
        title: str,
        labels: Mapping[str, str],
        *,
        tabbed: Collection[str] = (),
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> ListView:
        """Return what stands around the rows.

        Args:
            title: of the list.
            labels: the words for filters; one that has none is not shown as a chip.
            tabbed: filters that choose between lists, any of which may be empty without anything being filtered out.
            words: those of a filter's values, by the filters that are chosen by words.
        """
        asked, chosen = self.asked, words or {}
        chips = (
            Chip(
                label=labels[name],
                value=chosen.get(name, dict(self.choices.get(name, ()))).get(value, value),
                remove=asked.address(**{name: ""}),
            )
            for name, value in asked.given.items()
            if name in labels
        )
        return ListView(
            path=asked.path,
            form=asked.form,
            chips=tuple(chips),
            clear=asked.path,
            pager=self._pager(),
            filtered=(bool(asked.given.keys() - set(tabbed)) or not asked.at_start) and not self.is_bare,
            failed=self._failed(title),
            choices=self.choices,
            picks={
                name: Choice(
                    rows=tuple({"id": id, NAMES[noun]: words} for id, words in self.choices[name] if id),
                    more=name in self.more,
                    noun=noun,
                    source=self.sources.get(name, ""),
                )
                for name, noun in _NOUNS.items()
                if name in self.choices
            },
        )

    def _pager(self) -> Pager:
        asked, shown = self.asked, len(self.rows)
        following = self.answer.body.get("next_cursor") if self.answer is not None and self.answer.ok else None
        query = urlencode(dict(asked.given))
        download = f"{asked.path}.csv?{query}" if query else f"{asked.path}.csv"
        return Pager(
            next=asked.address(cursor=following) if following else "",
            newest="" if asked.at_start else asked.address(),
            csv=download,
            count=_("%(count)s shown", count=shown) if shown else "",
        )

    def _failed(self, title: str) -> Failed | None:
        """Return the section to show in place of a list that could not be read; None if it was read."""
        answer = self.answer
        if answer is None or answer.problem is None or reaction_to(answer.problem) is not Reaction.UNKNOWN:
            return None
        return Failed(title=title, request_id=answer.request_id, again=self.asked.address())


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Options of a field: the newest objects of a noun; where there are `more`, `source` suggests others."""

    rows: tuple[Mapping[str, Any], ...]
    more: bool
    noun: str = "agents"
    source: str = ""

    @property
    def options(self) -> Options:
        """Pairs of an id and a text that means it alone."""
        return picker.labelled(tuple((each["id"], str(each[NAMES[self.noun]])) for each in self.rows))

    def label(self, typed: str) -> str:
        """Return the text of an id; what was typed where it is none of these."""
        return dict(self.options).get(typed, typed)


async def find(
    visit: Visit,
    path: str,
    *names: str,
    days: bool = True,
    at: str = "",
    fixed: Query | None = None,
    extra: Mapping[str, Wanted] | None = None,
    choices: Mapping[str, Mapping[str, str]] | None = None,
    others: bool = False,
) -> ListResult:
    """Ask for the rows that the address chooses, at once with what stands beside them.

    Args:
        visit: whose address it is.
        path: of the list, below `/api/v1`.
        names: its filters.
        days: whether it has `from` and `to`.
        at: the address of the page, where the request is a command's that shows it again.
        fixed: what the page always asks for.
        extra: further questions, by names of the page.
        choices: the values of filters, and their words.
        others: whether agents of other organizations can match; they are listed after the organization's own.

    Raises:
        Refused: the API refuses the list for another reason than its filters.
    """
    of = await _by_id(visit, asked(visit, *names, days=days))
    of = replace(of, path=at) if at else of
    wanted: dict[str, Wanted] = {"rows": (path, {**of.query, **(fixed or {})})} if of.ok else {}
    nouns = {name: noun for name, noun in _NOUNS.items() if name in names and not (name == _WHOSE and visit.org_id)}
    for name, noun in nouns.items():
        whose = {"organization_id": visit.org_id} if name != _WHOSE and visit.org_id else {}
        wanted[f"of {name}"] = (f"/{noun}", {"limit": _CHOICES, **whose})
        if name == "agent_id" and whose and others:
            wanted[f"all {name}"] = (f"/{noun}", {"limit": _CHOICES})
    answers = await visit.ask_all(**wanted, **(extra or {}))
    answer, status = answers.pop("rows", None), 200 if of.ok else 422
    found = {name: [answers.pop(f"{of} {name}") for of in ("of", "all") if f"{of} {name}" in wanted] for name in nouns}
    if answer is not None and answer.problem is not None:
        status = answer.status
        match reaction_to(answer.problem):
            case Reaction.FIELDS:
                errors, summary = at_fields(answer.problem, {*of.given, *DAYS}, {})
                of = replace(of, form=FormState(key="", values=of.given, errors=errors, summary=summary))
            case Reaction.UNKNOWN:
                status = 503
            case _:
                answer.need()
    rows = answer.body["data"] if answer is not None and answer.ok else ()
    is_bare = False
    if answer is not None and answer.ok and not rows and (of.given or not of.at_start):
        bare = await visit.ask(path, **{**visit.scope, **(fixed or {}), "limit": 1})
        is_bare = bare.ok and not bare.body["data"]
    words = {name: _named(each, rows, name) for name, each in found.items()} | dict(choices or {})
    if "currency" in names:
        words["currency"] = _currencies(rows, of.given.get("currency", ""))
    more = frozenset(
        name for name, of_name in found.items() if any(not a.ok or a.body["next_cursor"] is not None for a in of_name)
    )
    options = {name: _options(each, of.given.get(name, "")) for name, each in words.items()}
    return ListResult(
        asked=of,
        answer=answer,
        extra=answers,
        status=status,
        choices=options,
        more=more,
        is_bare=is_bare,
        sources={name: f"{visit.base}/pick/{noun}" for name, noun in nouns.items()},
    )


async def _by_id(visit: Visit, of: ListQuery) -> ListQuery:
    """Return a query whose filters that were typed as names are ids; those that name nothing are its errors."""
    typed = {name: (noun, of.given[name]) for name, noun in _NOUNS.items() if name in of.given}
    if not any(picker.id_in(text) != text for _noun, text in typed.values()):
        return of
    ids, errors = await picker.resolve(visit, typed)
    given = {**of.given, **ids}
    return replace(of, given=given, query={**of.query, **ids}, form=query_form(given, {**of.form.errors, **errors}))


def _named(answers: Iterable[Answer], rows: Iterable[Mapping[str, Any]], name: str) -> dict[str, str]:
    """Return the names of what a filter chooses between, by id: of each answer in turn, then of the rows."""
    title = f"{name.removesuffix('_id')}_name"
    groups = [{each["id"]: str(each["name"]) for each in answer.body["data"]} for answer in answers if answer.ok]
    shown = {each[name]: str(each[title]) for each in rows if each.get(name) and each.get(title)}
    called: dict[str, str] = {}
    for group in (*groups, shown):
        new = {id: word for id, word in group.items() if id not in called}
        called |= dict(sorted(new.items(), key=lambda pair: pair[1].casefold()))
    return called


def _currencies(rows: Iterable[Mapping[str, Any]], given: str) -> dict[str, str]:
    found = [*_USUAL, *sorted({str(each["currency"]) for each in rows if each.get("currency")}), given]
    return {code: _("Slots") if code == SLOT else currency_name(code) for code in found if code}


def _options(words: Mapping[str, str], given: str) -> Options:
    chosen = {given: short_id(given)} if given and given not in words else {}
    return (("", _("Any")), *words.items(), *chosen.items())


async def csv(visit: Visit, path: str, noun: str, *names: str, days: bool = True, **fixed: str | None) -> Response:
    """Answer with everything that the address asks for, as CSV, named after organization, range and zone.

    Args:
        visit: whose address it is, `….csv` with the same query as the list.
        path: of the list below `/api/v1`.
        noun: what the rows are, for the name of the file.
        names: as for `asked`.
        days: as for `asked`.
        fixed: what the page itself asks for; None leaves a parameter out, such as the organization for operators.
    """
    of = await _by_id(visit, asked(visit, *names, days=days))
    if not of.ok:
        # The list says at its fields what is wrong; a file of everything would pass for one of the choice.
        raise Refused(_wrong(visit, of))
    await visit.frame()
    parts = [visit.organization.name if visit.organization else "platform", noun]
    parts += [of.given[name] for name in DAYS if name in of.given]
    name = "-".join(filter(None, (_plain(part) for part in (*parts, of.zone)))) + ".csv"
    query = {name: value for name, value in of.query.items() if name not in {"limit", "cursor"}}
    return visit.stream(path, {**query, **fixed}, accept="text/csv", name=name)


def file(
    path: str, noun: str, *names: str, days: bool = True, **fixed: str | None
) -> Callable[[Visit], Awaitable[Response]]:
    """Return the handler that answers with a list as CSV; its parameters are those of `csv`."""

    async def download(visit: Visit) -> Response:
        return await csv(visit, path, noun, *names, days=days, **fixed)

    return download


async def row_of(visit: Visit, path: str, key: str = "id") -> Mapping[str, Any]:
    """Return the row that the address names by its `key`, of those that `q`, or else that name, finds.

    Raises:
        Refused: there is none among the first twenty pages.
    """
    query = visit.chosen("q") if key == "id" else {"q": visit.path("id")}
    async for answer in _pages(visit, path, None, **query, **visit.scope):
        for row in answer.need()["data"]:
            if row[key] == visit.path("id"):
                found: Mapping[str, Any] = row
                return found
    raise Refused(not_found(visit.request))


async def choices(visit: Visit, sources: Sources, form: FormState) -> dict[str, Choice]:
    """Return what the fields of a form have to choose from: the newest of a noun, and the one that is chosen already.

    However many there are, one page of each is read. Others are picked by their names.
    """
    whose = {"organization_id": visit.org_id} if visit.org_id else {}
    wanted: dict[str, Wanted] = {
        f"{noun} {query}": (f"/{noun}", {"limit": _CHOICES, **whose, **query}) for noun, query in sources.values()
    }
    chosen = {name: form.value(name) for name in sources}
    wanted |= {id: (f"/{sources[name][0]}/{id}", {}) for name, id in chosen.items() if is_id(id, id.rpartition("_")[0])}
    answers = await visit.ask_all(**wanted) if wanted else {}
    found = {}
    for name, (noun, query) in sources.items():
        newest, own = answers[f"{noun} {query}"], answers.get(chosen[name])
        rows: list[Mapping[str, Any]] = newest.body["data"] if newest.ok else []
        if own is not None and own.ok and all(each["id"] != own.body["id"] for each in rows):
            rows = [own.body, *rows]
        more = not newest.ok or newest.body["next_cursor"] is not None
        found[name] = Choice(rows=tuple(rows), more=more, noun=noun, source=f"{visit.base}/pick/{noun}")
    return found


async def whole(visit: Visit, path: str, first: Answer, **query: str) -> Answer:
    """Return the first page of a list with the rows of those after it, a few thousand at most.

    Whatever can be done many times would else hide what came after it. `query` is what the first page was asked with.
    """
    if not first.ok or first.body["next_cursor"] is None:
        return first
    rows, last = [*first.body["data"]], first
    async for last in _pages(visit, path, first.body["next_cursor"], limit=_MOST, **query):
        if not last.ok:
            return last
        rows += last.body["data"]
    return replace(first, body={**first.body, "data": rows, "next_cursor": last.body["next_cursor"]})


async def _pages(visit: Visit, path: str, cursor: str | None, **query: str | int) -> AsyncIterator[Answer]:
    """Yield the pages of a list from a cursor on, twenty at most; a refusal is the last of them."""
    for _page in range(_PAGES):
        answer = await visit.ask(path, cursor=cursor, **query)
        yield answer
        cursor = answer.body["next_cursor"] if answer.ok else None
        if cursor is None:
            return


def counted(summary: Answer, statuses: Collection[str], prefs: Prefs) -> str:
    """Return how many a tab has by a summary of the API: of some statuses, or of all. Empty if that is not known."""
    if not summary.ok:
        return ""
    parts = [each for each in summary.body["by_status"] if not statuses or each["status"] in statuses]
    more = "+" if any(each["capped"] for each in parts) else ""
    return count(sum(each["count"] for each in parts), prefs) + more


def back(visit: Visit, path: str) -> str:
    """Return where a command of a list leads on to: the list with the choice that it was given from."""
    came = urlsplit(came_from(visit.request) or "")
    if came.path != path:
        return path
    kept = [pair for pair in parse_qsl(came.query) if pair[0] not in {"notice", "cursor"}]
    return f"{path}?{urlencode(kept)}" if kept else path


def bound_of(day: str, zone: str, *, following: bool = True) -> str:
    """Return when a day ends in a zone, or begins; what is no day as it is, so that the API refuses it."""
    try:
        return moment_of(day, zone, following=following)
    except ValueError:
        return day


def moment_of(day: str, zone: str, *, following: bool) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        raise ValueError(day)
    begins = date.fromisoformat(day)
    if not 1970 <= begins.year < 9999:
        raise ValueError(day)
    begins += timedelta(days=1) if following else timedelta()
    return datetime.combine(begins, time(), ZoneInfo(zone)).isoformat()


def _wrong(visit: Visit, of: ListQuery) -> Answer:
    detail = next(iter(of.form.errors.values()))
    problem = Problem(status=422, code="request.invalid", title="", detail=detail)
    return Answer(status=422, request_id=request_id_of(visit.request), problem=problem)


def _plain(text: str) -> str:
    """Write a word so that every file system takes it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
