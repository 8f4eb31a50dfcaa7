"""Lists: by what they are filtered, which pages they have, and the same as CSV, declared once for all of them.

A list names its filters (`ListEndpoint`). Its endpoint is given what a request asks of it (`ListRequest`) and returns
one page. It is answered as JSON or, for `Accept: text/csv`, as every page of it in one file; a list may have JSON Lines
too. A cursor holds the list, the ids in its path and the filters that it was made for, and is refused with any others.
"""

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial, wraps
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.auth import check_key
from api.csv_files import (
    CSV,
    EXPORT_PAGE,
    FILES,
    JSON_LINES,
    FileFormat,
    columns_of,
    csv_lines,
    stream,
    wants_csv,
    wants_lines,
)
from api.deps import Deps
from api.errors import errors
from api.fields import AgentId, Amount, ContractId, Currency, Moment, OrganizationId, Page, ResponseModel, SearchText
from api.metadata import METADATA_FILTER, MetadataFilterDep
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from domain.common.cells import cell_text
from domain.common.errors import DomainError, Invalid
from domain.common.ids import is_id
from domain.common.money import parse_amount
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from repositories.common.listing import ListFilter, ListPage, Position

Row = TypeVar("Row")
After = Position | None
#: The items of a page, and the position after which the next one begins; None at the end.
Items = tuple[Sequence[ResponseModel], Position | None]
Read = Callable[[After, int], Awaitable[Items]]
#: An endpoint that returns a page of a list. `asked` is one of its parameters.
ReadPage = TypeVar("ReadPage", bound=Callable[..., Awaitable[Items]])


class Int32(int):
    """The type of a column that holds whole numbers of 32 bits, in the order of a list."""


#: How many values of one filter a request may name.
MAX_VALUES = 20

_SHARED: dict[str, Any] = {
    "since": Annotated[Moment | None, Query(alias="from", description="Only objects created at or after this time.")],
    "until": Annotated[Moment | None, Query(alias="to", description="Only objects created before this time.")],
    "organization_id": Annotated[OrganizationId | None, Query(description="For operators: only of this organization.")],
    "agent_id": Annotated[AgentId | None, Query(description="Only of this agent.")],
    "contract_id": Annotated[ContractId | None, Query(description="Only of this contract.")],
    "provider": Annotated[SearchText | None, Query(description="Only of this provider, such as `stripe`.")],
    "currency": Annotated[Currency | None, Query(description="Only in this currency.")],
    "min_amount": Annotated[Amount | None, Query(description="Only amounts of at least this; send `currency` too.")],
    "max_amount": Annotated[Amount | None, Query(description="Only amounts of at most this; send `currency` too.")],
    "q": Annotated[SearchText | None, Query(description="Only objects that contain this text; case is ignored.")],
}
#: Filters that go together.
CREATED = ("since", "until")
AMOUNT = ("currency", "min_amount", "max_amount")

#: What does not name a column of the same name.
_NOT_COLUMNS = frozenset({"since", "until", "organization_id", "min_amount", "max_amount", "q", "status"})


def split(value: object) -> object:
    """Take several values in one parameter, `open,funded`, or one each in several."""
    if not isinstance(value, list):
        return value
    return [part for text in value for part in (text.split(",") if isinstance(text, str) else [text])]


def several(of: type[StrEnum], description: str) -> Any:
    return Annotated[
        list[of] | None,  # type: ignore[valid-type]
        BeforeValidator(split),
        Field(min_length=1, max_length=MAX_VALUES),
        Query(description=f"{description} Several are separated by commas."),
    ]


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a request asks of a list, checked: its filters that were given, and the page."""

    of: "ListEndpoint"
    given: Mapping[str, Any]
    limit: int
    after: Position | None
    #: The file that it is written into instead of a page; None for a page.
    file: FileFormat | None
    written: OwnMetadata
    #: What a cursor of this list is good for.
    scope: str
    #: Raises once the key of the request has ended.
    check: Callable[[], Awaitable[None]]
    #: Holds one of the organization's downloads.
    hold: Callable[[], AbstractContextManager[object]]

    @property
    def organization_id(self) -> str | None:
        return self.given.get("organization_id")

    def get(self, name: str) -> Any:
        """Return the value of a filter, None if it was not given."""
        return self.given.get(name)

    def wanted(self, org_id: str | None, *, without: Sequence[str] = (), **named: str) -> ListFilter:
        """Return what a repository lists.

        Args:
            org_id: whose rows; None for all that the session sees.
            without: filters that the endpoint reads itself.
            named: the columns of filters that have another name there.
        """
        given, currency = self.given, self.given.get("currency") or self.of.currency
        skipped = {*_NOT_COLUMNS, *without}
        return ListFilter(
            org_id=org_id,
            since=given.get("since"),
            until=given.get("until"),
            statuses=tuple(dict.fromkeys(status.value for status in given.get("status") or ())),
            equal={named.get(name, name): value for name, value in given.items() if name not in skipped},
            least_minor=_minor("min_amount", given, currency),
            most_minor=_minor("max_amount", given, currency),
            search=given.get("q"),
            written=self.written,
            after=self.after,
            limit=self.limit,
        )

    async def rows(
        self,
        transaction: AbstractAsyncContextManager[AsyncSession],
        page: Callable[..., Awaitable[ListPage[Row]]],
        wanted: ListFilter,
        show: Callable[[Row], ResponseModel],
    ) -> Items:
        """Return the rows of a repository's page.

        Args:
            transaction: that the page is read in.
            page: takes the session and what is wanted.
            wanted: by the caller.
            show: makes an item of a row.
        """
        async with transaction as session:
            return items_of(await page(session, wanted), show)

    async def answer(
        self, read: Read, *, within: Callable[[list[Any], str | None], ResponseModel] | None = None
    ) -> Response:
        """Answer with a page as JSON, or with all pages from the cursor on as a file.

        Args:
            read: returns a page.
            within: makes the answer of the items and the next cursor, where it has more than these.
        """
        if self.file is not None:

            async def following(after: After) -> Items:
                return await read(after, EXPORT_PAGE)

            return await stream(self.file, following, self.after, self.of.name, self.check, self.hold())
        items, position = await read(self.after, self.limit)
        following_cursor = None if position is None else self.of.write_cursor(position, self.scope)
        made = (within or self.of.made)(list(items), following_cursor)
        return Response(made.model_dump_json(by_alias=True), media_type="application/json")


class ListEndpoint:
    """One list: what it shows, in which order, and by what it is filtered."""

    def __init__(
        self,
        name: str,
        view: type[ResponseModel],
        *filters: str,
        order: Sequence[str | type],
        status: type[StrEnum] | None = None,
        currency: str | None = None,
        has_metadata: bool = False,
        has_json_lines: bool = False,
        lines: "tuple[Sequence[str], Callable[[Any], list[str]]] | None" = None,
        **own: Any,
    ) -> None:
        """Declare a list.

        Args:
            name: of its file, and in its cursors.
            view: the schema of an item; its fields are the columns of the file.
            filters: the names of shared ones.
            order: the columns of its order: the prefix of an id, `UUID`, `datetime`, `date`, `int` or
                `Int32`.
            status: the states that it is filtered by.
            currency: what all its amounts are in, where there is only one.
            has_metadata: whether it is filtered by external ids and metadata.
            has_json_lines: whether it is answered as JSON Lines too.
            lines: the columns of its file and the cells of an item, where they are not the fields of the schema.
            own: the annotated types of parameters that it alone has; None is their default, and False that of a bool.
                What may not be None is required.
        """
        self.name, self.view, self.currency = name, view, currency
        self.page = Page[view]  # type: ignore[valid-type]
        self.columns: Sequence[str] = columns_of(view) if lines is None else lines[0]
        self._cells: Callable[[Any], list[str]] | None = None if lines is None else lines[1]
        self.order, self._has_metadata, self._has_json_lines = tuple(order), has_metadata, has_json_lines
        self._filters = {name: _SHARED[name] for name in filters}
        if status is not None:
            self._filters["status"] = several(status, "Only in this state.")
        self._filters |= own

    def get(
        self, router: APIRouter, path: str, *refusals: type[DomainError], **options: Any
    ) -> Callable[[ReadPage], ReadPage]:
        """Declare the operation that answers with the list.

        The endpoint returns the page after `asked.after`, of at most `asked.limit` items. For a file it is called for
        each page.

        Args:
            router: of the resource.
            path: of the operation.
            refusals: as for `errors`.
            options: as for `router.get`.
        """
        if self._has_metadata:
            options["openapi_extra"] = METADATA_FILTER
        options = {
            "response_model": self.page,
            "responses": errors(*refusals) | (FILES if self._has_json_lines else CSV),
            **options,
        }

        def declare(read: ReadPage) -> ReadPage:
            @wraps(read)
            async def endpoint(asked: ListRequest, **given: Any) -> Response:
                return await asked.answer(
                    lambda after, limit: read(asked=replace(asked, after=after, limit=limit), **given)
                )

            signature, own = inspect.signature(read), Annotated[ListRequest, self.asked]
            parameters = [
                each.replace(annotation=own) if name == "asked" else each for name, each in signature.parameters.items()
            ]
            endpoint.__dict__["__signature__"] = signature.replace(parameters=parameters, return_annotation=Response)
            router.get(path, **options)(endpoint)
            return read

        return declare

    def made(self, items: list[Any], cursor: str | None) -> ResponseModel:
        return self.page(data=items, next_cursor=cursor)

    def cells(self, item: ResponseModel) -> list[str]:
        if self._cells is not None:
            return self._cells(item)
        values = item.model_dump(mode="json", by_alias=True)
        return [cell_text(values[name]) for name in self.columns]

    def _file(self, request: Request) -> FileFormat | None:
        if self._has_json_lines and wants_lines(request):
            return JSON_LINES
        return csv_lines(self.columns, self.cells) if wants_csv(request) else None

    @property
    def asked(self) -> Any:
        return self._dependency(
            inspect.Parameter("limit", inspect.Parameter.KEYWORD_ONLY, annotation=LimitParam, default=DEFAULT_LIMIT),
            inspect.Parameter("cursor", inspect.Parameter.KEYWORD_ONLY, annotation=CursorParam, default=None),
        )

    @property
    def filtered(self) -> Any:
        """The dependency that reads and checks the filters alone, for what is counted of the whole list."""
        return self._dependency()

    def _dependency(self, *paging: inspect.Parameter) -> Any:
        def read(
            request: Request,
            limit: int = DEFAULT_LIMIT,
            cursor: str | None = None,
            written: OwnMetadata = NO_METADATA,
            **filters: Any,
        ) -> ListRequest:
            given = {name: value for name, value in filters.items() if value not in (None, False)}
            _check(given, self.currency)
            scope = self._scope(given, written, request.path_params)
            after = None if cursor is None else self._read_cursor(cursor, scope)
            return ListRequest(
                *(self, given, limit, after, self._file(request), written, scope),
                check=partial(check_key, request),
                hold=partial(_hold, request),
            )

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter("request", keyword, annotation=Request),
            *(
                inspect.Parameter(name, keyword, annotation=kind, default=_default_of(kind))
                for name, kind in self._filters.items()
            ),
            *paging,
        ]
        if self._has_metadata:
            parameters.insert(1, inspect.Parameter("written", keyword, annotation=MetadataFilterDep))
        read.__dict__["__signature__"] = inspect.Signature(parameters)
        return Depends(read)

    def write_cursor(self, position: Position, scope: str) -> str:
        values = (value.isoformat() if isinstance(value, date) else value for value in position)
        return encode_cursor(scope, *values)

    def _read_cursor(self, cursor: str, scope: str) -> Position:
        kinds = [int if kind in (int, Int32) else str for kind in self.order]
        values = decode_cursor(cursor, scope, *kinds)
        return tuple(_checked(value, kind) for value, kind in zip(values, self.order, strict=True))

    def _scope(self, given: Mapping[str, Any], written: OwnMetadata, path: Mapping[str, Any]) -> str:
        """Name the list, the ids in its path and the filters: a cursor of others would skip some of what is wanted."""
        filters = {name: sorted(value) if isinstance(value, list) else value for name, value in given.items()}
        named = [written.external_id, dict(written.metadata)]
        # Without a path nothing is added, so that cursors that were given out stay good.
        text = json.dumps([filters, named, *([dict(path)] if path else [])], sort_keys=True, default=str)
        return scope_of(self.name, text)


def _hold(request: Request) -> AbstractContextManager[object]:
    deps: Deps = request.app.state.deps
    _, actor = request.scope["state"]["actor"]
    return deps.streams.hold(actor.org_id or "platform")


def scope_of(name: str, narrowed: str) -> str:
    return f"{name}.{hashlib.sha256(narrowed.encode()).hexdigest()[:16]}"


def items_of(found: ListPage[Row], show: Callable[[Row], ResponseModel]) -> Items:
    return [show(row) for row in found.rows], found.following


def items_up_to(
    rows: Sequence[Any], limit: int, show: Callable[[Any], ResponseModel], position: Callable[[Any], Position]
) -> Items:
    """Return how `limit` rows are shown, of one more that says whether this is the end."""
    return [show(row) for row in rows[:limit]], position(rows[limit - 1]) if len(rows) > limit else None


def _default_of(kind: Any) -> Any:
    """Return what a parameter of an annotated type is where it is left out; one that may not be None is required."""
    if kind.__origin__ is bool:
        return False
    return None if NoneType in get_args(kind.__origin__) else inspect.Parameter.empty


def _checked(value: Any, kind: str | type) -> Any:
    if kind is datetime:
        try:
            # In UTC it may lie before the year 1 or after 9999.
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (OverflowError, ValueError):
            raise bad_cursor() from None
        if datetime.fromisoformat(value).tzinfo is None:
            raise bad_cursor()
        return moment
    if kind is date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise bad_cursor() from None
    if kind is Int32 and value >= 2**31:
        raise bad_cursor()
    if kind is UUID:
        try:
            return UUID(value)
        except ValueError:
            raise bad_cursor() from None
    if isinstance(kind, str) and not is_id(value, kind):
        raise bad_cursor()
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value not in set(kind):
        raise bad_cursor()
    return value


def _check(given: Mapping[str, Any], currency: str | None) -> None:
    """Refuse filters that nothing can satisfy, or that mean nothing alone."""
    since, until = given.get("since"), given.get("until")
    if since is not None and until is not None and since > until:
        raise Invalid("from must not be after to.", extra={"field": "from"})
    currency = given.get("currency") or currency
    least, most = (_minor(name, given, currency) for name in ("min_amount", "max_amount"))
    if least is not None and most is not None and least > most:
        raise Invalid("min_amount must not be greater than max_amount.", extra={"field": "min_amount"})


def _minor(name: str, given: Mapping[str, Any], currency: str | None) -> int | None:
    if name not in given:
        return None
    if currency is None:
        raise Invalid(f"{name} needs a currency. Send currency too.", extra={"field": "currency"})
    try:
        return parse_amount(given[name], currency, zero=True)
    except Invalid as exc:
        raise Invalid(f"{name}: {exc.detail}", extra={"field": name}) from None
