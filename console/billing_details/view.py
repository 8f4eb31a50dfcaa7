"""What the page of billing details shows, and what its two forms send."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Moment, Prefs, moment
from console.forms import Form, FormState
from console.gateway import Answer
from console.notification.pages import LANGUAGES
from console.sections import unanswered
from console.widgets import Failed, Page, Tab

#: The fields of a profile that are typed, as the API calls them.
PROFILE = ("legal_name", "line1", "line2", "postal_code", "city", "region", "country", "vat_id", "email")
#: The fields of the contacts: addresses by the purpose of the mails, one a line.
PURPOSES = ("billing", "security")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details(Page):
    """The page.

    Attributes:
        profile: the form of the profile; `profile_action` is empty for a role that may not change it.
        confirmed: when a register confirmed the VAT number; None if none has.
        contacts: the form of the contacts; None for a role that may not read them.
        contacts_action: empty for a role that may not set them.
    """

    tabs: tuple[Tab, ...]
    profile: FormState
    profile_action: str
    is_complete: bool
    confirmed: Moment | None
    contacts: FormState | None
    contacts_action: str
    contacts_failed: Failed | None
    is_mailed: bool
    languages: tuple[tuple[str, str], ...]


def profile_values(found: Mapping[str, Any]) -> dict[str, str]:
    values = {name: found[name] or "" for name in (*PROFILE, "language")}
    return {**values, "charges_vat": "on" if found["charges_vat"] else ""}


def contact_values(answer: Answer) -> dict[str, str]:
    listed = answer.body["contacts"]
    addresses = {
        purpose: "\n".join(each["email"] for each in listed if purpose in each["purposes"]) for purpose in PURPOSES
    }
    return {**addresses, "mail_language": answer.body["language"], "version": answer.etag or ""}


def page(
    answers: Mapping[str, Answer],
    profile: FormState,
    contacts: FormState | None,
    prefs: Prefs,
    tabs: tuple[Tab, ...],
    here: str,
    *,
    may_bill: bool,
    may_contact: bool,
) -> Details:
    found, read = answers["profile"].need(), answers.get("contacts")
    return Details(
        title="Billing details",
        tabs=tabs,
        profile=profile,
        profile_action=f"{here}/profile" if may_bill else "",
        is_complete=all(found[name] for name in ("legal_name", "line1", "city", "country")),
        confirmed=moment(found["vat_confirmed_at"], prefs) if found["vat_confirmed_at"] else None,
        contacts=contacts,
        contacts_action=f"{here}/contacts" if may_contact else "",
        contacts_failed=unanswered("E-mail recipients", read, here) if read is not None else None,
        is_mailed=read is not None and read.ok and any("billing" in each["purposes"] for each in read.body["contacts"]),
        languages=LANGUAGES,
    )


def profile_of(form: Form) -> dict[str, Any]:
    """Return what the API is sent for the profile; what is empty is cleared."""
    texts = {name: form.maybe(name) for name in (*PROFILE, "language")}
    for name in ("country", "region", "postal_code"):
        texts[name] = text.upper() if (text := texts[name]) else None
    return {**texts, "charges_vat": form.text("charges_vat") == "on"}


def contacts_of(form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    typed: dict[str, str] = {}
    purposes: dict[str, list[str]] = {}
    fields = {"contacts": PURPOSES[0], "language": "mail_language"}
    for purpose in PURPOSES:
        for line in filter(None, (line.strip() for line in form.text(purpose).splitlines())):
            typed.setdefault(line.casefold(), line)
            known = purposes.setdefault(line.casefold(), [])
            if not known:
                fields[f"contacts.{len(purposes) - 1}.email"] = purpose
            if purpose not in known:
                known.append(purpose)
    contacts = [{"email": typed[address], "purposes": wanted} for address, wanted in purposes.items()]
    return {"language": form.text("mail_language"), "contacts": contacts}, fields
