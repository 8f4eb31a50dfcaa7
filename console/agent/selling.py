"""What the pages show on which an agent's listing is changed, and on which it is offered on the marketplace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.agent.view import MODELS, OWN, VISIBILITIES, Options
from console.forms import Form, FormState, written
from console.status import Status, status_of
from console.widgets import FormPage, Link
from domain.common.money import CREDIT
from domain.marketplace.offer import OfferModel, OfferStatus

#: The fields of the two forms.
LISTING = ("name", "description", "visibility", "category")
#: The box of whether granted credits pay the agent.
GRANTED = "accepts_granted_credits"
OFFER = ("model", "price", "currency", "prices", "included_uses", "summary", "status")
_DIGITS = 12
_STATUSES = ((OfferStatus.LISTED.value, "For sale"), (OfferStatus.RETIRED.value, "Not for sale"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(FormPage):
    back: str
    version: str
    visibilities: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(FormPage):
    """The form that offers an agent on the marketplace; `status` is None and `version` empty if it is not yet."""

    back: str
    version: str
    status: Status | None
    models: Options
    statuses: Options
    label: str


def _crumbs(agent: Mapping[str, Any], listed: str) -> tuple[Link, ...]:
    return (Link(label=OWN, href=listed), Link(label=agent["name"], href=f"{listed}/{agent['id']}"))


def change(agent: Mapping[str, Any], version: str, form: FormState | None, key: FormState, listed: str) -> Change:
    """Return the page that changes a listing; `form` is None if nothing was typed yet."""
    here = f"{listed}/{agent['id']}"
    return Change(
        title="Edit listing",
        crumbs=_crumbs(agent, listed),
        action=f"{here}/change",
        back=here,
        form=form or FormState(key=key.key, values=listing(agent)),
        version=version,
        visibilities=VISIBILITIES,
    )


def listing(agent: Mapping[str, Any]) -> dict[str, str]:
    return {name: agent[name] or "" for name in LISTING} | {GRANTED: "on" if agent[GRANTED] else ""}


def changed(form: Form) -> dict[str, Any]:
    """Return what is asked of the API: what was emptied is taken away."""
    body: dict[str, Any] = {name: form.text(name) for name in ("name", "visibility")}
    body |= {name: form.maybe(name) for name in ("description", "category")}
    return body | {GRANTED: form.maybe(GRANTED) is not None}


def offer(
    agent: Mapping[str, Any],
    offered: Mapping[str, Any] | None,
    version: str,
    form: FormState | None,
    key: FormState,
    listed: str,
) -> Offer:
    """Return the page that offers an agent."""
    here = f"{listed}/{agent['id']}"
    return Offer(
        title="Offer for sale",
        crumbs=_crumbs(agent, listed),
        action=f"{here}/offer",
        back=here,
        form=form or FormState(key=key.key, values=values(agent, offered)),
        version=version,
        status=status_of("offer", offered["status"]) if offered else None,
        models=MODELS,
        statuses=_STATUSES,
        label="Edit offer" if offered else "Offer agent",
    )


def values(agent: Mapping[str, Any], offered: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what the form has before anything is typed: the offer, or the price of the listing where there is none."""
    if offered is None:
        pricing = agent["pricing"]
        price = "" if pricing["model"] == OfferModel.USAGE else pricing["amount"] or ""
        return {"model": pricing["model"], "price": written(price), "currency": pricing["currency"] or CREDIT}
    return {
        "model": offered["model"],
        "price": written(offered["price"] or ""),
        "currency": offered["currency"] or CREDIT,
        "prices": "\n".join(f"{name} {written(price)}" for name, price in sorted((offered["prices"] or {}).items())),
        "included_uses": str(offered["included_uses"] or ""),
        "summary": offered["summary"],
        "status": offered["status"],
    }


def wanted(form: Form) -> dict[str, Any]:
    """Return an offer as the API takes it; what is no number goes on as it was typed, so that the API refuses it."""
    body: dict[str, Any] = {"model": form.text("model"), "status": form.text("status") or OfferStatus.LISTED}
    if form.maybe("price"):
        body |= {"price": form.number("price"), "currency": form.text("currency")}
    if form.maybe("prices"):
        lines = (line.strip().rpartition(" ") for line in form.text("prices").splitlines() if line.strip())
        body["prices"] = {name.strip() or price: form.as_read(price) for name, _, price in lines}
    if uses := form.maybe("included_uses"):
        body["included_uses"] = int(uses) if uses.isascii() and uses.isdigit() and len(uses) < _DIGITS else uses
    return body | ({"summary": form.text("summary")} if form.maybe("summary") else {})
