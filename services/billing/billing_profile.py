"""Billing profiles: data of organizations, confirmations by the VAT register, decisions of operators."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_profile import Profile, check_profile, names_differ
from domain.billing.tax.rates import check_place
from domain.billing.tax.treatment import EU
from domain.common.access import Actor, Role
from domain.common.errors import Invalid
from domain.common.text import rfc3339
from models.billing.billing_profile import BillingProfile
from providers.payments.base import ProviderUnavailable
from providers.tax.base import Confirmation, VatNumbers, canonical_number
from repositories.billing import billing_profile
from repositories.billing.billing_profile import UnconfirmedNumber
from repositories.messages import alert
from repositories.tenants import audit, organization

#: The actor that records later confirmations.
ACTOR = Actor(principal="vat-confirmations", role=Role.OPERATOR)
NOT_IN_FORCE = "tax.vat_not_in_force"
DOUBTFUL = "tax.vat_doubtful"
#: How long a confirmation is valid before the number is checked again.
CONFIRMATION_TERM = timedelta(days=30)
#: The stored confirmation stays.
KEEP_CONFIRMATION = Confirmation(is_valid=True, reference=None)


def canonical(profile: Profile) -> Profile:
    """Return a profile with its VAT number in canonical form.

    Raises:
        Invalid: a field is invalid, or the number has another country or form; `field` names it.
    """
    check_profile(profile)
    number = None if profile.vat_id is None else canonical_number(profile.vat_id, profile.country)
    return replace(profile, vat_id=number)


async def confirm_number(
    register: VatNumbers | None, known: BillingProfile | None, wanted: Profile
) -> Confirmation | None:
    """Confirm a profile's VAT number at the register, outside of any transaction.

    None if there is nothing to confirm, or the register is unavailable. A response without a reference leaves the
    number unconfirmed, and is retried every night. A confirmed number is checked again only if the name has changed;
    otherwise `KEEP_CONFIRMATION` is returned.

    Raises:
        Invalid: the register says that the number is not in force; `vat_id`.
    """
    if wanted.vat_id is None or wanted.country not in EU:
        return None
    before = KEEP_CONFIRMATION if known is not None and known.vat_reference and _has_number_of(known, wanted) else None
    if register is None or (before is not None and known is not None and known.legal_name == wanted.legal_name):
        return before
    try:
        found = await register.confirm(wanted.country, wanted.vat_id)
    except ProviderUnavailable:
        return before
    if not found.is_valid:
        raise Invalid("The register says that this VAT number is not in force.", extra={"field": "vat_id"})
    return found if found.reference else before


async def replace_profile(
    session: AsyncSession, actor: Actor, org_id: str, wanted: Profile, *, vat: Confirmation | None, now: datetime
) -> BillingProfile:
    """Replace an organization's profile; needs the platform's role.

    Args:
        session: of the platform.
        actor: the author.
        org_id: the organization.
        wanted: from `canonical`.
        vat: from `confirm_number` for this profile.
        now: the time.
    """
    row = await billing_profile.lock(session, org_id, actor.qualified())
    vat_reference = None if vat is None else vat.reference
    if vat is KEEP_CONFIRMATION and _has_number_of(row, wanted):
        vat_reference = row.vat_reference
    if row.vat_reference != vat_reference or row.vat_id != wanted.vat_id:
        row.vat_confirmed_at = None if vat_reference is None else now
    for name, value in wanted.fields().items():
        setattr(row, name, value)
    row.vat_reference, row.updated_by, row.updated_at = vat_reference, actor.qualified(), now
    await session.flush()
    await audit.record(session, actor, "billing_profile.update", org_id, {"country": wanted.country}, org_id)
    await _doubt(session, row, vat)
    return row


def _has_number_of(row: BillingProfile, wanted: Profile) -> bool:
    return (row.vat_id, row.country) == (wanted.vat_id, wanted.country)


async def _doubt(session: AsyncSession, row: BillingProfile, vat: Confirmation | None) -> None:
    """Alert operators of a confirmed number that may be another company's, because companies publish their numbers."""
    if vat is None or row.vat_reference is None or row.vat_id is None:
        return
    why = []
    if names_differ(row.legal_name, vat.name):
        why.append("the register has it under another name")
    if await billing_profile.has_number(session, row.vat_id, besides=row.org_id):
        why.append("another organization has it too")
    if why:
        await alert.raise_alert(
            session,
            kind=DOUBTFUL,
            subject=row.org_id,
            detail=f"The VAT number of the organization may not be its own: {', and '.join(why)}. No tax is charged "
            "where it owes the tax itself.",
            org_id=row.org_id,
            # A name that comes later is another case, and so is another reason.
            key=f"{DOUBTFUL}:{row.org_id}:{row.vat_id}:{len(why)}:{_digest(why[0], row.legal_name or '')}",
        )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


async def note_confirmation(
    session: AsyncSession, asked: UnconfirmedNumber, answer: Confirmation, now: datetime
) -> bool:
    """Record the register's response; True if it confirms, with a reference, the profile's present number.

    If the number is not in force, tax is charged from now on, and operators are alerted once.
    """
    row = await billing_profile.lock(session, asked.org_id, ACTOR.qualified())
    if (row.vat_id, row.country) != (asked.vat_id, asked.country):
        return False
    if not answer.is_valid:
        since = row.vat_confirmed_at
        if row.vat_reference is not None:
            row.vat_reference = row.vat_confirmed_at = None
            row.updated_by, row.updated_at = ACTOR.qualified(), now
            await audit.record(session, ACTOR, "billing_profile.unconfirm", asked.org_id, org_id=asked.org_id)
        await alert.raise_alert(
            session,
            kind=NOT_IN_FORCE,
            subject=asked.org_id,
            detail="The register says that the VAT number of the organization is not in force. Tax is charged.",
            org_id=asked.org_id,
            # Once for each time that it was in force.
            key=f"{NOT_IN_FORCE}:{asked.org_id}:{asked.vat_id}" + ("" if since is None else f":{rfc3339(since)}"),
        )
        return False
    if not answer.reference:
        return False
    row.vat_reference, row.vat_confirmed_at = answer.reference, now
    row.updated_by, row.updated_at = ACTOR.qualified(), now
    await session.flush()
    await audit.record(session, ACTOR, "billing_profile.confirm", asked.org_id, org_id=asked.org_id)
    await _doubt(session, row, answer)
    return True


async def decide(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    *,
    confirmed_country: str | None,
    exempt_reason: str | None,
    legal_entity: str | None = None,
    now: datetime,
) -> BillingProfile:
    """Record an operator's decision about an organization's taxes; needs the platform's role.

    Raises:
        Invalid: there is no such country.
    """
    await organization.get(session, org_id)
    check_place(confirmed_country, None)
    row = await billing_profile.lock(session, org_id, actor.qualified())
    row.confirmed_country = confirmed_country
    row.is_exempt, row.exempt_reason = exempt_reason is not None, exempt_reason
    row.legal_entity = legal_entity
    row.updated_by, row.updated_at = actor.qualified(), now
    await session.flush()
    details = {"country": confirmed_country, "exempt": row.is_exempt, "legal_entity": legal_entity}
    await audit.record(session, actor, "billing_profile.decide", org_id, details, org_id)
    return row


async def note_card_country(session: AsyncSession, actor: Actor, org_id: str, country: str | None) -> None:
    """Record the country of an organization's card, as evidence of its location."""
    row = await billing_profile.lock(session, org_id, actor.qualified())
    row.card_country = country
    await session.flush()
