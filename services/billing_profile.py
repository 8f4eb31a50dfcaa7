"""Billing profiles: what an organization says of itself, what a register confirms, and what operators decide."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor, Role
from domain.billing_profile import Profile, check_profile
from domain.errors import Invalid
from domain.tax.rates import check_place
from domain.tax.treatment import EU
from models.billing_profile import BillingProfile
from providers.payments.base import ProviderUnavailable
from providers.tax.base import Confirmation, VatNumbers, checked
from repositories import alert, audit, billing_profile, organization
from repositories.billing_profile import Unconfirmed

#: Who writes what the register says later.
ACTOR = Actor(principal="vat-confirmations", role=Role.OPERATOR)
NOT_IN_FORCE = "tax.vat_not_in_force"


def well_formed(profile: Profile) -> Profile:
    """Return a profile whose VAT number is in its plain form.

    Raises:
        Invalid: a field is none, or the number is of another country or form; `field` names it.
    """
    check_profile(profile)
    number = None if profile.vat_id is None else checked(profile.vat_id, profile.country)
    return replace(profile, vat_id=number)


async def confirmation(register: VatNumbers | None, known: BillingProfile | None, wanted: Profile) -> str | None:
    """Return the reference under which a register confirms the number; in no transaction, because it calls out.

    None where there is nothing to confirm, the register does not answer now, or it gave no reference: the number is
    kept unconfirmed then, and asked for again every night. One that is confirmed is not.

    Raises:
        Invalid: the register says that the number is not in force; `vat_id`.
    """
    if wanted.vat_id is None or wanted.country not in EU:
        return None
    if known is not None and (known.vat_id, known.country) == (wanted.vat_id, wanted.country) and known.vat_reference:
        return known.vat_reference
    if register is None:
        return None
    try:
        found = await register.confirm(wanted.country, wanted.vat_id)
    except ProviderUnavailable:
        return None
    if not found.is_valid:
        raise Invalid("The register says that this VAT number is not in force.", extra={"field": "vat_id"})
    return found.reference


async def put(
    session: AsyncSession, actor: Actor, org_id: str, wanted: Profile, *, vat_reference: str | None, now: datetime
) -> BillingProfile:
    """Replace what an organization says of itself; needs the platform's role.

    Args:
        session: of the platform.
        actor: who says so.
        org_id: of whom.
        wanted: as `well_formed` returned it.
        vat_reference: as `confirmation` returned it for this profile.
        now: when.
    """
    row = await billing_profile.lock(session, org_id, actor.qualified())
    if row.vat_reference != vat_reference or row.vat_id != wanted.vat_id:
        row.vat_confirmed_at = None if vat_reference is None else now
    for name, value in wanted.fields().items():
        setattr(row, name, value)
    row.vat_reference, row.updated_by, row.updated_at = vat_reference, actor.qualified(), now
    await session.flush()
    await audit.record(session, actor, "billing_profile.update", org_id, {"country": wanted.country}, org_id)
    return row


async def note_confirmation(session: AsyncSession, asked: Unconfirmed, answer: Confirmation, now: datetime) -> bool:
    """Write what a register said of a number; False where it gave no reference, or the profile has another number now.

    One that is not in force is put before the operators, once; its tax is charged as before.
    """
    if not answer.is_valid:
        await alert.raise_alert(
            session,
            kind=NOT_IN_FORCE,
            subject=asked.org_id,
            detail="The register says that the VAT number of the organization is not in force. Tax is charged.",
            org_id=asked.org_id,
            key=f"{NOT_IN_FORCE}:{asked.org_id}:{asked.vat_id}",
        )
        return False
    row = await billing_profile.lock(session, asked.org_id, ACTOR.qualified())
    if (row.vat_id, row.country) != (asked.vat_id, asked.country) or row.vat_reference or not answer.reference:
        return False
    row.vat_reference, row.vat_confirmed_at = answer.reference, now
    row.updated_by, row.updated_at = ACTOR.qualified(), now
    await session.flush()
    await audit.record(session, ACTOR, "billing_profile.confirm", asked.org_id, org_id=asked.org_id)
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
    """Write what an operator decides of an organization; needs the platform's role.

    Raises:
        NotFound: there is no such organization.
        Invalid: the country is none.
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
    """Keep the country of the card that an organization pays with, as evidence of where it is."""
    row = await billing_profile.lock(session, org_id, actor.qualified())
    row.card_country = country
    await session.flush()
