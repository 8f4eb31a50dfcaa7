"""Tax rates: operators add them; they are never changed."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.tax.rates import TaxRate, check_rate, format_rate
from domain.common.access import Actor
from domain.common.errors import TaxRateExists
from models.billing.billing_profile import TaxRateRow
from repositories.billing import tax_rate
from repositories.common import command
from repositories.tenants import audit
from runtime.identity import new_id

_ASKED = ("code", "country", "region", "product", "rate_e6", "valid_from", "valid_until")


async def add(session: AsyncSession, actor: Actor, rate: TaxRate, command_id: str) -> TaxRateRow:
    """Add a rate, or return the one that the command added."""
    check_rate(rate)
    row = TaxRateRow(
        id=new_id("txr"),
        code=rate.code,
        country=rate.country,
        region=rate.region or "",
        product=rate.product or "",
        rate_e6=rate.rate_e6,
        valid_from=rate.valid_from,
        valid_until=rate.valid_until,
        created_by=actor.qualified(),
        command_id=command_id,
    )
    await command.lock_command(session, command_id)
    done = await command.existing_row(session, row, _ASKED)
    if done is not None:
        return done
    if not await tax_rate.add(session, row):
        raise TaxRateExists("This place and product already has a rate from that time on. Choose another time.")
    details = {"code": rate.code, "country": rate.country, "rate": format_rate(rate.rate_e6)}
    await audit.record(session, actor, "tax_rate.add", row.id, details)
    return row
