"""What the pages of chargebacks show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, decimal, ident, moment, relative, titled
from console.forms import FormState
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.payment.view import NO_RUNS, PROVIDERS
from console.status import STATUSES, Status, status_of
from console.widgets import FormPage, Link
from domain.payments.payment.snapshot import DisputeStatus

FILTERS = ("q", "status", "provider", "currency", "organization_id")
LABELS = {
    "q": "Text",
    "status": "Status",
    "provider": "Provider",
    "currency": "Currency",
    "organization_id": "Organization",
    "from": "From",
    "to": "To",
}
#: In these the bank takes evidence.
_ANSWERED_IN = frozenset({DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One chargeback. `until` is when evidence is due; `run` is its payment's, and empty for all but operators."""

    href: str
    reason: str
    status: Status
    at: Moment
    until: Moment | None
    amount: Amount
    organization: Sentence
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargebacks(ListPage):
    across: bool
    has_runs: bool
    statuses: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class One(FormPage):
    """One chargeback. `answer` leads to where evidence is written; empty if none is taken, or the role may not."""

    id: Ident
    status: Status
    sentence: str
    answer: str
    due: str
    amount: Amount
    taken: Amount
    owed: Amount
    has_owed: bool
    provider: str
    reference: str
    opened: Moment
    submitted: Moment | None
    offered: str
    offered_at: Moment | None
    payment: Link
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering(FormPage):
    """Where evidence is written, and then confirmed. `text` is what will be sent, once it is written.

    What an operator sends is for the bank and `final`; what an organization does is kept as `offered` for operators.
    """

    text: str
    final: bool
    offered: str
    amount: Amount
    due: str
    back: str


def page(
    found: ListResult, naming: Naming, base: str, *, across: bool, runs: Mapping[str, str] = NO_RUNS
) -> Chargebacks:
    """Return the list for what the API answered; `runs` says where each payment's run is shown, by its id."""
    return Chargebacks(
        title="Chargebacks",
        listed=found.listed("Chargebacks", LABELS),
        across=across,
        has_runs=any(runs.values()),
        statuses=(("", "Any"), *((each, status.word) for each, status in STATUSES["chargeback"].items())),
        rows=tuple(row(each, naming, base, runs.get(each["payment_id"], "")) for each in found.rows),
    )


def row(dispute: Mapping[str, Any], naming: Naming, base: str, run: str = "") -> Row:
    prefs = naming.prefs
    return Row(
        href=f"{base}/disputes/{dispute['id']}",
        reason=reason_of(dispute),
        status=status_of("chargeback", dispute["status"]),
        at=moment(dispute["opened_at"], prefs),
        until=moment(dispute["evidence_due_at"], prefs) if dispute["evidence_due_at"] and is_open(dispute) else None,
        amount=amount(dispute["amount"], dispute["currency"], prefs),
        organization=naming(dispute["organization_id"]),
        run=run,
    )


def is_open(dispute: Mapping[str, Any]) -> bool:
    return dispute["status"] in _ANSWERED_IN and dispute["evidence_submitted_at"] is None


def reason_of(dispute: Mapping[str, Any]) -> str:
    """Write the bank's reason, such as `product_not_received`, in words."""
    return titled(str(dispute["reason"])) or "No reason given"


def one(
    dispute: Mapping[str, Any],
    form: FormState,
    prefs: Prefs,
    now: datetime,
    base: str,
    *,
    may_answer: bool,
    run: str = "",
) -> One:
    """Return the page of one chargeback; `run` is its payment's."""
    status, here = status_of("chargeback", dispute["status"]), f"{base}/disputes/{dispute['id']}"
    currency, taken, owed = dispute["currency"], dispute["taken"], dispute["owed"]
    submitted = dispute["evidence_submitted_at"]
    return One(
        title=reason_of(dispute),
        id=ident(dispute["id"]),
        crumbs=(Link(label="Chargebacks", href=f"{base}/disputes"),),
        status=status,
        sentence=status.sentence,
        form=form,
        answer=f"{here}/evidence" if may_answer and is_open(dispute) else "",
        due=_due(dispute, prefs, now),
        amount=amount(dispute["amount"], currency, prefs),
        taken=amount(taken["amount"], taken["currency"], prefs),
        owed=amount(owed["amount"], owed["currency"], prefs),
        has_owed=bool(decimal(owed["amount"])),
        provider=PROVIDERS.get(dispute["provider"], dispute["provider"]),
        reference=dispute["provider_ref"],
        opened=moment(dispute["opened_at"], prefs),
        submitted=moment(submitted, prefs) if submitted else None,
        offered=dispute["offered_evidence"] or "",
        offered_at=moment(dispute["evidence_offered_at"], prefs) if dispute["evidence_offered_at"] else None,
        payment=Link(label="The payment", href=f"{base}/payments/{dispute['payment_id']}"),
        run=run,
    )


def _due(dispute: Mapping[str, Any], prefs: Prefs, now: datetime) -> str:
    if not is_open(dispute):
        return ""
    due = dispute["evidence_due_at"]
    if due is None:
        return "The bank accepts evidence. No deadline is known."
    return f"The bank accepts evidence until {moment(due, prefs)}, {relative(due, now, prefs)}."


def answering(
    dispute: Mapping[str, Any], form: FormState, prefs: Prefs, now: datetime, base: str, text: str, *, final: bool
) -> Answering:
    """Return the page where evidence is written (no `text`), or confirmed; `final` for operators."""
    here = f"{base}/disputes/{dispute['id']}"
    return Answering(
        title="Submit this evidence?" if text else "Add evidence",
        crumbs=(Link(label=reason_of(dispute), href=here),),
        form=form,
        text=text,
        final=final,
        offered=dispute["offered_evidence"] or "",
        amount=amount(dispute["amount"], dispute["currency"], prefs),
        due=_due(dispute, prefs, now),
        action=f"{here}/evidence",
        back=here,
    )
