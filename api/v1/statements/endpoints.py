"""Monthly statements of creators, and what they were paid in a year."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV, download, wants_csv
from api.deps import Deps, DepsDep
from api.documents import PDF_RESPONSE, as_pdf
from api.errors import errors
from api.fields import Currency, OrganizationId
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.statements.schemas import CreatorTotals, StatementView, totals
from domain.billing.billing_run.period import parse_month
from domain.billing.document.content import Document
from domain.common.access import Actor, Permission
from domain.common.errors import DocumentNoSeller, Invalid, NotFound, StatementBeingMade, StatementNotOver
from models.billing.document import StoredDocument
from models.payouts.creator_statement import CreatorCorrection, CreatorStatement
from repositories.payouts import statement as statements
from services.payouts import statement

router = Resource(tags=["statements"])

Month = Annotated[str, Path(pattern=r"^[0-9]{4}-[0-9]{2}$", description="A month in UTC that has ended, `2026-10`.")]
InCurrency = Annotated[Currency, Query(description="The currency in which earnings are valued.")]
ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]
_REFUSALS = errors(Invalid, StatementBeingMade, StatementNotOver, DocumentNoSeller)


@router.get("/billing/statements/{period}", response_model=StatementView, responses=_REFUSALS | CSV)
async def get_statement(
    period: Month,
    request: Request,
    deps: DepsDep,
    currency: InCurrency = "USD",
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Show the organization's statement for a month: what its agents earned, and the balance of its earnings.

    The statement is created on the first day of the next month, or when it is first requested, and never changes. With
    `Accept: text/csv` the response contains its lines as CSV.
    """
    stored = await _made(deps, actor, organization_id, period, currency)
    async with deps.database.platform() as session:
        shown = StatementView.of(stored, await statements.corrections(session, stored.subject))
    if not wants_csv(request):
        return Response(shown.model_dump_json(), media_type="application/json")
    rows = [("earned", line.description, line.amount) for line in shown.lines]
    rows += [("tax", shown.tax_text or shown.tax_code, shown.tax)] if shown.tax_code else []
    rows += [("correction", each.number, each.amount) for each in shown.corrections]
    rows += [("account", each.kind, each.amount) for each in shown.account]
    cells = [[shown.month, shown.currency, part, name, amount] for part, name, amount in rows]
    return download([["month", "currency", "part", "description", "amount"], *cells], f"{shown.number}.csv")


@router.get("/billing/statements/{period}/pdf", response_class=Response, responses=_REFUSALS | PDF_RESPONSE)
async def get_statement_pdf(
    period: Month,
    deps: DepsDep,
    currency: InCurrency = "USD",
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Return the statement of a month as PDF. The platform issues it in the creator's name (self-billing)."""
    return as_pdf(await _made(deps, actor, organization_id, period, currency))


@router.get(
    "/billing/statements/{period}/corrections/{correction_id}/pdf",
    response_class=Response,
    responses=errors(Invalid, DocumentNoSeller) | PDF_RESPONSE,
)
async def get_correction_pdf(
    period: Month,
    correction_id: str,
    deps: DepsDep,
    currency: InCurrency = "USD",
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Return a correction of the statement of a month as PDF: what a later month took back of it."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.database.platform() as session:
        row = await statements.correction(session, org_id, parse_month(period), currency, correction_id)
        wanted = await deps.documents.find(session, org_id, row.id, partial(_said, row), total_minor=row.total_minor)
    return as_pdf(await deps.documents.made(wanted))


@router.get("/billing/creators/totals", response_model=CreatorTotals, responses=CSV, tags=["creators"])
async def get_creator_totals(
    request: Request,
    deps: DepsDep,
    year: Annotated[
        int | None, Query(ge=2000, le=9000, description="The year in UTC; this year when left out.")
    ] = None,
    actor: Actor = require(Permission.READ_BOOKS),  # noqa: ARG001 - the role alone
) -> Response:
    """Show what each creator was paid in a year and its quarters, for tax reports. For operators, accountants.

    With `Accept: text/csv` the response contains the same lines as CSV. Bursar files nothing with an authority.
    """
    asked = year or datetime.now(UTC).year
    async with deps.database.platform() as session:
        found = await statements.quarters(
            session, since=datetime(asked, 1, 1, tzinfo=UTC), until=datetime(asked + 1, 1, 1, tzinfo=UTC)
        )
    shown = CreatorTotals(year=asked, data=totals(asked, found))
    if not wants_csv(request):
        return Response(shown.model_dump_json(), media_type="application/json")
    columns = ["organization_id", "country", "currency", "period", "paid_out", "reversed", "payouts"]
    lines = [each.model_dump(mode="json") for each in shown.data]
    cells = [[str("" if line[name] is None else line[name]) for name in columns] for line in lines]
    return download([columns, *cells], f"creators-{asked}.csv")


async def _made(deps: Deps, actor: Actor, organization_id: str | None, month: str, currency: str) -> StoredDocument:
    org_id, now = await known_organization(deps, actor, organization_id), datetime.now(UTC)
    first = parse_month(month)
    async with deps.database.platform() as session:
        issued = await statement.issue(session, org_id, first, deps.documents.entities, now=now, waits=False)
        row = next((each for each in issued if each.currency == currency), None)
        if row is None:
            raise NotFound("Nothing moved on the earnings in this month and currency.")
        content = partial(_said, row)
        wanted = await deps.documents.find(session, org_id, row.id, content, total_minor=row.total_minor)
    return await deps.documents.made(wanted)


async def _said(row: CreatorStatement | CreatorCorrection) -> Document:
    return Document.restored(row.content)
