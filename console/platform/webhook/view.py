"""What the inbox of webhooks shows."""

from dataclasses import dataclass

from console.format import Ident, Moment, Prefs, ident, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.payment.view import company
from console.status import Status, Tone, status_of
from console.widgets import Tab

FILTERS = ("q", "provider", "type", "status", "unhandled")
LABELS = {"q": "Text", "provider": "Provider", "type": "Type", "status": "Status", "from": "From", "to": "To"}
BASE = "/console/platform"
PLACE = f"{BASE}/webhooks"
STATUSES = (
    ("", "Any"),
    ("received", "Received"),
    ("forwarded", "Forwarded"),
    ("handled", "Processed"),
    ("ignored", "Ignored"),
    ("unmatched", "Unrelated"),
)
_WORDS = {
    "received": Status(word="Received", tone=Tone.BUSY, icon="clock", sentence="It is waiting to be processed."),
    "forwarded": Status(word="Forwarded", tone=Tone.BUSY, icon="clock", sentence="Its workflow has it."),
    "ignored": Status(word="Ignored", tone=Tone.IDLE, icon="dash", sentence="It needs no processing."),
    "unmatched": Status(word="Unrelated", tone=Tone.IDLE, icon="dash", sentence="It concerns no object here."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event. `retry` is None if it is handled, or the reader may not."""

    number: str
    received: Moment
    provider: str
    type: str
    status: Status
    handled: Moment | None
    payment: Ident | None
    payment_href: str
    event: str
    livemode: bool
    retry: FormState | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks(ListPage):
    """The inbox. `form` is a command's that was refused."""

    statuses: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    form: FormState


def page(found: ListResult, form: FormState, prefs: Prefs, *, has_payment: bool, may_retry: bool) -> Webhooks:
    """Return the inbox; `has_payment` says whether payments have pages of the platform."""
    asked = found.asked
    unhandled = asked.given.get("unhandled") == "true"

    def row(event: dict[str, str | None]) -> Row:
        payment_id, handled, status = event["payment_id"], event["handled_at"], str(event["status"])
        return Row(
            number=str(event["id"]),
            received=moment(str(event["received_at"]), prefs),
            provider=company(str(event["provider"])),
            type=str(event["type"]),
            status=_WORDS.get(status) or status_of("event", status),
            handled=moment(handled, prefs) if handled else None,
            payment=ident(payment_id) if payment_id else None,
            payment_href=f"{BASE}/payments/{payment_id}" if payment_id and has_payment else "",
            event=str(event["event_id"]),
            livemode=bool(event["livemode"]),
            retry=None if handled or not may_retry else blank(),
            action=f"{PLACE}/{event['id']}/retry",
        )

    return Webhooks(
        title="Webhooks",
        listed=found.listed("Webhooks", LABELS),
        tabs=(
            Tab(label="All", href=asked.address(unhandled=""), current=not unhandled),
            Tab(label="Waiting to be processed", href=asked.address(unhandled="true"), current=unhandled),
        ),
        statuses=STATUSES,
        rows=tuple(row(dict(each)) for each in found.rows),
        form=form,
    )
