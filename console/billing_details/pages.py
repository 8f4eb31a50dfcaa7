"""The page of billing details: the billing address, and the recipients of mails about money."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console.filters import countries
from console.forms import Form, FormState, blank, read_form, with_summary
from console.gateway import Answer, Wanted
from console.noun import Json
from console.noun_page import page_at
from console.problems import answered
from console.routing import COMMAND, tenant
from console.settings.pages import tabs
from console.texts import _
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/settings/billing"
#: The fields of a profile that are typed, as the API calls them.
_PROFILE = ("legal_name", "line1", "line2", "postal_code", "city", "region", "country", "vat_id", "email", "language")
#: The purposes of mails; the field of each has its addresses, one a line.
_PURPOSES = ("billing", "security")


async def show(
    visit: Visit, profile: FormState | None = None, recipients: FormState | None = None, status: int = 200
) -> Response:
    visit.need(Permission.READ_BILLING)
    wanted: dict[str, Wanted] = {"profile": ("/billing/profile", visit.scope)}
    if visit.may(Permission.READ_AUDIT):
        wanted["contacts"] = (f"/organizations/{visit.org_id}/contacts", {})
    answers = await visit.ask_all(**wanted)
    it, contacts = answers["profile"].need(), answers.get("contacts")
    if contacts is not None and answered(contacts) and (recipients is None or status == 409):
        # After a change by another person the form has the present addresses.
        fresh = blank(**addresses(contacts))
        recipients = fresh if recipients is None else with_summary(fresh, recipients.summary[0][1])
    values = {
        "it": it,
        "contacts": contacts,
        "profile": profile or blank(**typed(it)),
        "recipients": recipients,
        "countries": places(it["country"] or ""),
        "changes": not visit.me.is_platform and visit.may(Permission.MANAGE_BILLING),
    }
    page = replace(page_at(visit, _PATH, _("Billing details")), tabs=tabs(visit, _PATH))
    return await visit.show("billing_details/page.html", page, values, status)


def places(chosen: str) -> tuple[tuple[str, str], ...]:
    """Return the countries to choose from; a code that is no country stays chosen."""
    known = (("", _("Not set")), *countries())
    return known if chosen in dict(known) else (*known, (chosen, chosen))


def typed(profile: Json) -> dict[str, str]:
    """Return the values of the form of the address."""
    return {name: profile[name] or "" for name in _PROFILE} | {"charges_vat": "on" if profile["charges_vat"] else ""}


def addresses(contacts: Answer) -> dict[str, str]:
    """Return the values of the form of the recipients."""
    found = {
        purpose: "\n".join(each["email"] for each in contacts.body["contacts"] if purpose in each["purposes"])
        for purpose in _PURPOSES
    }
    return {**found, "mail_language": contacts.body["language"], "version": contacts.etag or ""}


async def save_profile(visit: Visit) -> Response:
    form = await read_form(visit.request, *_PROFILE, "charges_vat")
    body: dict[str, Any] = {name: form.maybe(name) for name in _PROFILE}
    capitals = {name: body[name] and body[name].upper() for name in ("region", "postal_code")}
    body |= {**capitals, "charges_vat": form.text("charges_vat") == "on"}

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        # A box that is not ticked is not sent, and is no empty field.
        return await show(visit, replace(shown, values={"charges_vat": "", **shown.values}), None, status)

    answer = await visit.command("PUT", "/billing/profile", body, form.key)
    return await visit.concluded(form, answer, visit.base + _PATH, "billing.details_saved", show=again)


async def save_contacts(visit: Visit) -> Response:
    form = await read_form(visit.request, *_PURPOSES, "mail_language", "version")
    body, names = contacts_of(form)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        return await show(visit, None, shown, status)

    path = f"/organizations/{visit.org_id}/contacts"
    answer = await visit.command("PUT", path, body, form.key, match=form.text("version"))
    return await visit.concluded(form, answer, visit.base + _PATH, "billing.contacts_saved", show=again, names=names)


def contacts_of(form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body of the contacts, each address once with all its purposes, and the fields by those of the API."""
    written: dict[str, str] = {}
    purposes: dict[str, list[str]] = {}
    fields = {"contacts": _PURPOSES[0], "language": "mail_language"}
    for purpose in _PURPOSES:
        for line in filter(None, (line.strip() for line in form.text(purpose).splitlines())):
            written.setdefault(line.casefold(), line)
            known = purposes.setdefault(line.casefold(), [])
            if not known:
                fields[f"contacts.{len(purposes) - 1}.email"] = purpose
            if purpose not in known:
                known.append(purpose)
    contacts = [{"email": written[address], "purposes": wanted} for address, wanted in purposes.items()]
    return {"language": form.text("mail_language"), "contacts": contacts}, fields


ROUTES = (
    tenant(_PATH, show),
    tenant(f"{_PATH}/profile", save_profile, COMMAND),
    tenant(f"{_PATH}/contacts", save_contacts, COMMAND),
)
