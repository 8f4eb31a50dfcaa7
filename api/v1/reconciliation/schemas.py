"""What reconciliation looks like over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from api.fields import Exact, Moment, Note, RequestModel, ResponseModel
from domain.books.reconciliation import BOOKABLE, Action, Correction, MatchStatus, corrections
from domain.common.ids import transfer_id
from domain.common.money import format_amount
from domain.payments.payment.snapshot import BalanceTransaction
from models.books.reconciliation import ReconciliationDiscrepancy, ReconciliationRun
from repositories.books import clearing, reconciliation as books
from repositories.books.discrepancy import compared_of

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class DiscrepancyStatus(StrEnum):
    """Whether the discrepancy is still open."""

    OPEN = "open"
    RESOLVED = "resolved"


class RunStatus(StrEnum):
    """The status of a run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunCreate(RequestModel):
    """A reconciliation run to start."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"provider": "stripe", "from": "2026-01-30T00:00:00Z", "to": "2026-01-31T00:00:00Z"}]
        }
    )

    provider: ProviderName = Field(description="The provider whose statement is compared.", examples=["stripe"])
    since: Moment = Field(alias="from", description="Movements at or after this time.")
    until: Moment = Field(alias="to", description="Movements before this time; not in the future.")


class ResolutionCreate(RequestModel):
    """Resolves a discrepancy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"action": "book", "note": "payout of January"}]})

    action: Action
    note: Note | None = Field(default=None, description="The reason; it is kept with the discrepancy.")


class SideView(ResponseModel):
    """A movement on one side. `net` is the change of the provider's balance."""

    key: str
    amount: Exact
    fee: Exact | None
    net: Exact
    currency: str
    occurred_at: datetime

    @classmethod
    def of(cls, movement: BalanceTransaction) -> "SideView":
        fee = movement.fee_minor
        return cls.from_row(
            movement,
            amount=format_amount(movement.amount_minor, movement.currency),
            fee=None if fee is None else format_amount(fee, movement.currency),
            net=format_amount(movement.amount_minor - (fee or 0), movement.currency),
        )


class DiscrepancyCorrectionView(ResponseModel):
    """The correction to book in one currency, signed as the provider's balance moves. `net` is amount less fee."""

    amount: Exact
    fee: Exact
    net: Exact
    currency: str

    @classmethod
    def of(cls, one: Correction) -> "DiscrepancyCorrectionView":
        return cls(
            amount=format_amount(one.amount_minor, one.currency),
            fee=format_amount(one.fee_minor, one.currency),
            net=format_amount(one.amount_minor - one.fee_minor, one.currency),
            currency=one.currency,
        )


class DiscrepancyView(ResponseModel):
    """A movement that differs between the provider and the books."""

    id: str
    provider: str
    key: str = Field(description="The movement's key: the id of the provider's object that moved the money.")
    kind: str = Field(description="`missing_here`, `missing_there`, `amount_differs` or `fee_missing`.")
    status: DiscrepancyStatus
    movement: str = Field(
        description="The kind of movement: `charge`, `refund`, `dispute`, …; `other` when it belongs to no payment."
    )
    booked: list[SideView] = Field(description="The movement in the books, including corrections.")
    listed: SideView | None = Field(description="The movement in the provider's statement.")
    corrections: list[DiscrepancyCorrectionView] = Field(
        description="What resolving with `book` would book, as both sides were last read; empty if nothing."
    )
    reference: str | None = Field(description="The provider's id of the payment, refund or dispute that caused it.")
    statement_line: str | None = Field(description="The provider's id of the line in its statement.")
    payment_id: str | None
    run_id: str = Field(description="The latest run that found it.")
    first_seen_at: datetime
    last_seen_at: datetime
    resolution: str | None = Field(
        description="`matched` and `superseded` are automatic; a person chooses `booked` or `accepted`."
    )
    note: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    transfer_id: str | None = Field(description="The transfer of the correction.")

    @classmethod
    def of(cls, row: ReconciliationDiscrepancy) -> "DiscrepancyView":
        one = books.load_movement(row.movement)
        return cls.from_row(
            row,
            movement=one.kind.value,
            booked=[SideView.of(books.load_movement(value)) for value in row.booked],
            listed=None if row.listed is None else SideView.of(books.load_movement(row.listed)),
            corrections=[DiscrepancyCorrectionView.of(each) for each in _bookable(row)],
            reference=one.ref,
            statement_line=one.statement_ref,
            transfer_id=None if row.transfer_id is None else transfer_id(row.transfer_id),
        )


def _bookable(row: ReconciliationDiscrepancy) -> tuple[Correction, ...]:
    if row.status != DiscrepancyStatus.OPEN or MatchStatus(row.kind) not in BOOKABLE:
        return ()
    return corrections(compared_of(row))


class ReconciliationLineView(ResponseModel):
    """The movements of one kind in one currency, on both sides. `net` is amounts less fees."""

    currency: str
    movement: str
    counts: dict[MatchStatus, int]
    booked_net: Exact
    listed_net: Exact


class ClearingView(ResponseModel):
    """The balance of a clearing account, and the booked movements that explain it."""

    currency: str
    held: Exact = Field(description="The balance at the provider, according to the books.")
    booked: Exact = Field(description="The sum of all booked movements, less fees.")
    movements: dict[str, Exact] = Field(description="The same sum, by kind.")
    unexplained: Exact = Field(description="`held` less `booked`; zero when the books are consistent.")

    @classmethod
    def of(cls, account: clearing.ClearingBalance) -> "ClearingView":
        return cls(
            currency=account.currency,
            held=format_amount(account.held_minor, account.currency),
            booked=format_amount(account.booked_minor, account.currency),
            movements={kind: format_amount(net, account.currency) for kind, net in sorted(account.kinds.items())},
            unexplained=format_amount(account.unexplained_minor, account.currency),
        )


class ReconciliationRunView(ResponseModel):
    """A reconciliation run; `lines` and `clearing` are set when it is done."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    id: str
    provider: str
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    status: str = Field(description="`running`, `done` or `failed`.")
    compared: int
    differences: int = Field(description="The number of open discrepancies.")
    lines: list[ReconciliationLineView]
    clearing: list[ClearingView] = Field(description="The clearing accounts at the end of the run.")
    failure: str | None
    requested_by: str
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: ReconciliationRun) -> "ReconciliationRunView":
        lines = [
            ReconciliationLineView(
                currency=currency,
                movement=kind,
                counts=line.by_match_status,
                booked_net=format_amount(line.our_net_minor, currency),
                listed_net=format_amount(line.their_net_minor, currency),
            )
            for (currency, kind), line in books.report_of(row).lines.items()
        ]
        return cls.from_row(row, lines=lines, clearing=[ClearingView.of(account) for account in books.clearing_of(row)])
