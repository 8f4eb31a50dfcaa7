"""The page of billing details, and its two commands."""

from dataclasses import replace

from starlette.responses import Response

from console.billing_details import view
from console.forms import FormState, blank, read_form, with_summary
from console.gateway import Wanted
from console.routing import COMMAND, tenant
from console.settings.pages import tabs
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/settings/billing"


async def show(visit: Visit) -> Response:
    return await _show(visit, None, None, 200)


async def _show(visit: Visit, profile: FormState | None, contacts: FormState | None, status: int) -> Response:
    visit.need(Permission.READ_BILLING)
    wanted: dict[str, Wanted] = {"profile": ("/billing/profile", visit.scope)}
    if visit.may(Permission.READ_AUDIT):
        wanted["contacts"] = (f"/organizations/{visit.org_id}/contacts", {})
    answers = await visit.ask_all(**wanted)
    read = answers.get("contacts")
    if read is not None and read.ok and (contacts is None or status == 409):
        # What was changed meanwhile is shown as it is now.
        fresh = blank(**view.contact_values(read))
        contacts = fresh if contacts is None else with_summary(fresh, contacts.summary[0][1])
    page = view.page(
        answers,
        profile or blank(**view.profile_values(answers["profile"].need())),
        contacts,
        visit.choices.prefs,
        tabs(visit, _PATH),
        visit.base + _PATH,
        may_bill=not visit.me.is_platform and visit.may(Permission.MANAGE_BILLING),
        may_contact=visit.may(Permission.MANAGE_CONTACTS),
    )
    return await visit.render("billing_details/page.html", page, status)


async def save_profile(visit: Visit) -> Response:
    form = await read_form(visit.request, *view.PROFILE, "language", "charges_vat")

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        # A box that is not ticked is not sent, and is no empty field.
        values = {"charges_vat": "", **shown.values}
        return await _show(visit, replace(shown, values=values), None, status)

    answer = await visit.command("PUT", "/billing/profile", view.profile_of(form), form.key)
    return await visit.concluded(form, answer, visit.base + _PATH, "billing.details_saved", show=again)


async def save_contacts(visit: Visit) -> Response:
    form = await read_form(visit.request, *view.PURPOSES, "mail_language", "version")
    body, names = view.contacts_of(form)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        return await _show(visit, None, shown, status)

    path = f"/organizations/{visit.org_id}/contacts"
    answer = await visit.command("PUT", path, body, form.key, match=form.text("version"))
    return await visit.concluded(form, answer, visit.base + _PATH, "billing.contacts_saved", show=again, names=names)


ROUTES = (
    tenant(_PATH, show),
    tenant(f"{_PATH}/profile", save_profile, COMMAND),
    tenant(f"{_PATH}/contacts", save_contacts, COMMAND),
)
