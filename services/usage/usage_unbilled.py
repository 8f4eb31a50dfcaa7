"""Total of an organization's uninvoiced usage."""

from collections.abc import Collection
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from domain.usage.arrears import BilledAmount, PriceSource, UnbilledTotal
from domain.usage.charge_model import parse_charge
from repositories.usage import meter, usage_bill
from runtime.database import driver_connection

#: A month later than any bill's.
_EVER = date.max


async def unbilled_usage(
    session: AsyncSession, org_id: str, currency: str, places: Collection[tuple[date, str]] = (), *, markup_e6: int = 0
) -> UnbilledTotal:
    """Return the total of all months, and the quantities of meters so far.

    Args:
        session: of the platform.
        org_id: the organization.
        currency: of its bills.
        places: additional months and meters, to which events are about to be added.
        markup_e6: the markup on the cost of model calls.
    """
    connection = await driver_connection(session)
    found = await usage_bill.unbilled(connection, [org_id], _EVER, also_open=True, also_failed=True)
    sums = found.get((org_id, currency), [])
    metered = {each.ref for each in sums if each.source is PriceSource.METER} | {ref for _, ref in places}
    meters = await meter.numbered(session, {int(ref) for ref in metered}) if metered else {}
    unbilled = UnbilledTotal(
        currency=currency,
        markup_e6=markup_e6,
        charges={str(number): parse_charge(row.price) for number, row in meters.items() if row.price is not None},
    )
    for each in sums:
        if each.source is PriceSource.METER:
            unbilled.counted[each.month, each.ref] = each.before
        part = BilledAmount(source=each.source, ref=each.ref, quantity=each.quantity, pico=each.pico)
        unbilled = unbilled.with_event(each.month, [part])
    if places:
        unbilled.counted |= await usage_bill.counted(connection, org_id, places)
    return unbilled
