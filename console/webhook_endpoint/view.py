"""What the pages of webhook endpoints show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Ident, Moment, Prefs, count, ident, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from console.widgets import Confirmation, FormPage, Link, Page, Tab

_TABS = (("", "All"), ("pending", "Pending"), ("failed", "Failed"), ("delivered", "Delivered"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    url: str
    href: str
    types: str
    status: Status
    delivered: Moment | None
    failing: Moment | None
    made: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints(ListPage):
    """The list; `create` is empty if one may not."""

    create: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(FormPage):
    """The form that makes an endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Page):
    """An endpoint's new secret. `secret` is empty if the form had been sent before."""

    url: str
    public_key: str
    secret: str
    lead: str
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for the endpoint. `retry` is None if it cannot be sent again, or not by the reader."""

    id: str
    at: Moment
    type: str
    about: Sentence
    status: Status
    tries: str
    code: str
    said: str
    next: Moment | None
    retry: FormState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    form: FormState
    action: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(ListPage):
    """One endpoint with its log. `form` is a command's that was refused; what the reader may not do is empty."""

    form: FormState
    id: Ident
    url: str
    types: str
    description: str
    ordering: str
    status: Status
    reason: str
    public_key: str
    delivered: Moment | None
    failing: Moment | None
    slowed: Moment | None
    made: Moment
    acts: tuple[Act, ...]
    rotate: str
    delete: str
    retry_action: str
    deliveries: tuple[Delivery, ...]


def types_of(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _types(types: list[str]) -> str:
    return "Every type" if types == ["*"] else ", ".join(types)


def page(found: ListResult, prefs: Prefs, alerts: str, create: str) -> Endpoints:
    """Return the list for what the API answered."""
    return Endpoints(
        title="Webhook endpoints",
        listed=found.listed("Webhook endpoints", {}),
        crumbs=(Link(label="Alerts", href=alerts),),
        create=create,
        rows=tuple(_row(each, prefs, found.asked.path) for each in found.rows),
    )


def _row(endpoint: Mapping[str, Any], prefs: Prefs, path: str) -> Row:
    return Row(
        url=endpoint["url"],
        href=f"{path}/endpoints/{endpoint['id']}",
        types=_types(endpoint["types"]),
        status=status_of("endpoint", endpoint["status"]),
        delivered=_maybe(endpoint["delivered_at"], prefs),
        failing=_maybe(endpoint["failing_since"], prefs),
        made=moment(endpoint["created_at"], prefs),
    )


def create(form: FormState, listed: str) -> Create:
    return Create(
        title="Create webhook endpoint",
        crumbs=(Link(label="Webhook endpoints", href=listed),),
        action=f"{listed}/endpoints/new",
        form=form,
    )


def made(endpoint: Mapping[str, Any], listed: str, *, rotated: bool = False) -> Made:
    secret = endpoint["secret"] or ""
    title = "Secret rolled" if rotated else "Endpoint created"
    return Made(
        title=title if secret else "Already created",
        crumbs=(Link(label="Webhook endpoints", href=listed),),
        url=endpoint["url"],
        public_key=endpoint["public_key"] or "",
        secret=secret,
        lead="For 24 hours webhooks are also signed with the old one." if rotated else "Events are sent from now on.",
        back=f"{listed}/endpoints/{endpoint['id']}",
    )


def one(
    endpoint: Mapping[str, Any], found: ListResult, form: FormState, naming: Naming, listed: str, *, manages: bool
) -> Endpoint:
    """Return an endpoint with its log."""
    prefs = naming.prefs
    here, status, chosen = (
        f"{listed}/endpoints/{endpoint['id']}",
        endpoint["status"],
        found.asked.given.get("status", ""),
    )
    return Endpoint(
        title=endpoint["url"],
        crumbs=(Link(label="Webhook endpoints", href=listed),),
        form=form,
        id=ident(endpoint["id"]),
        url=endpoint["url"],
        types=_types(endpoint["types"]),
        description=endpoint["description"] or "",
        ordering="In order per object" if endpoint["ordering"] == "subject" else "Unordered",
        status=status_of("endpoint", status),
        reason=endpoint["reason"] or "",
        public_key=endpoint["public_key"] or "",
        delivered=_maybe(endpoint["delivered_at"], prefs),
        failing=_maybe(endpoint["failing_since"], prefs),
        slowed=_maybe(endpoint["slowed_until"], prefs),
        made=moment(endpoint["created_at"], prefs),
        acts=_acts(here, status) if manages else (),
        rotate=f"{here}/rotate" if manages else "",
        delete=f"{here}/delete" if manages else "",
        retry_action=f"{here}/retry",
        tabs=tuple(
            Tab(label=label, href=found.asked.address(status=value), current=value == chosen) for value, label in _TABS
        ),
        listed=found.listed("Deliveries", {}),
        deliveries=tuple(_delivery(each, naming, retries=manages and status == "enabled") for each in found.rows),
    )


def _acts(here: str, status: str) -> tuple[Act, ...]:
    """Return the buttons: one that is held back by an operator is not for its people to resume."""
    if status == "enabled":
        return (
            Act(form=blank(), action=f"{here}/test", label="Send test"),
            Act(form=blank(), action=f"{here}/pause", label="Pause"),
        )
    return (Act(form=blank(), action=f"{here}/resume", label="Resume"),) if status == "disabled" else ()


def _delivery(delivery: Mapping[str, Any], naming: Naming, *, retries: bool) -> Delivery:
    prefs = naming.prefs
    pending, code = delivery["status"] == "pending", delivery["status_code"]
    return Delivery(
        id=delivery["id"],
        at=moment(delivery["created_at"], prefs),
        type=delivery["type"],
        about=naming(delivery["subject"]),
        status=status_of("delivery", delivery["status"]),
        tries=count(delivery["tries"], prefs),
        code="" if code is None else str(code),
        said=delivery["error"] or delivery["answer"] or "",
        next=_maybe(delivery["next_try_at"], prefs) if pending else None,
        retry=blank() if retries and delivery["status"] != "delivered" else None,
    )


def rotating(endpoint: Mapping[str, Any], form: FormState, back: str) -> Confirmation:
    return Confirmation(
        title="Roll the secret?",
        back=back,
        action=f"{back}/rotate",
        label="Roll secret",
        kind="primary",
        form=form,
        facts=(("Endpoint", endpoint["url"]),),
        effect=(
            "The new secret is shown once, on the next page.",
            "For 24 hours webhooks are signed with both. Then the old one stops working.",
        ),
    )


def deleting(endpoint: Mapping[str, Any], form: FormState, back: str) -> Confirmation:
    return Confirmation(
        title="Delete this endpoint?",
        back=back,
        action=f"{back}/delete",
        label="Delete endpoint",
        form=form,
        facts=(("Endpoint", endpoint["url"]), ("Events", _types(endpoint["types"]))),
        effect=("Pending deliveries are not sent.", "This cannot be undone."),
    )


def _maybe(at: str | None, prefs: Prefs) -> Moment | None:
    return moment(at, prefs) if at else None
