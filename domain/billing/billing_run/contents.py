"""The invoice of an organization for a period: its usage, one-off items, and the shortfall of its commitment. Pure.

The volume discount applies to all usage. Its step is that of the month's net platform charges: the usage before this
discount, and other charges of the platform. The shortfall is the minimum commitment less the discounted usage; one-off
items do not count. Usage is exact until the amount of its line is rounded up, once, to a minor unit, so the lines add
up to the total. Usage that was paid with credits is shown with an amount of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domain.billing.billing_run.period import Period, month_text, period_of
from domain.billing.billing_terms import WHOLE_BPS, TermsVersion, UsageMode, committed_minor
from domain.billing.invoice.lines import MAX_LINES, InvoiceLine
from domain.billing.invoice.wording import Phrase, Wording, text_of
from domain.common.money import CREDIT, format_amount
from domain.usage.amounts import minor_pico
from domain.usage.arrears import WHOLE_E6, PriceSource

#: The maximum length of a name in a line.
_SHOWN = 120
#: The maximum number of lines for usage that was paid with credits.
MAX_PREPAID_LINES = 50
_KINDS = {PriceSource.MODEL: "model", PriceSource.AGENT: "agent", PriceSource.METER: "meter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledUsage:
    """A sum of a bill, with its cost.

    Attributes:
        month: of the usage.
        number: of the bill.
        source: the kind of its price; `ref` identifies the price, and `name` is its display name.
        events: the number of events.
        pico: the cost, in pico units of the currency.
        markup_e6: what is charged beyond the cost, in 10^-6 of it.
    """

    month: date
    number: int
    source: PriceSource
    ref: str
    name: str
    events: int
    pico: int
    markup_e6: int = 0

    @property
    def charged(self) -> int:
        """The cost with its markup, exactly, in 10^-6 pico."""
        return self.pico * (WHOLE_E6 + self.markup_e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOffItem:
    """Something that is charged once with the next invoice."""

    id: str
    description: str
    quantity: int
    unit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidUsage:
    """Usage of an action in the period that was paid with credits.

    Attributes:
        action: None if it is not known.
        quantity: of the action.
        credits_minor: minor units of credits.
    """

    action: str | None
    quantity: int
    credits_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceContents:
    """The contents of an invoice. Amounts are minor units of the terms' currency.

    Attributes:
        lines: usage, the shortfall, one-off items, and usage that was paid with credits, at zero.
        charges_minor: the usage before the discount.
        volume_minor: `charges_minor` and other charges of the platform, which determine the discount.
        discount_bps: the discount on usage.
        usage_minor: the usage after the discount.
        shortfall_minor: the commitment less the usage.
        places: the index of the line of each sum; None for a sum that costs nothing.
    """

    lines: tuple[InvoiceLine, ...]
    charges_minor: int
    volume_minor: int
    discount_bps: int
    usage_minor: int
    shortfall_minor: int
    places: tuple[int | None, ...]

    @property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


@dataclass(slots=True)
class _Group:
    """Sums that are one line; `charged` is in 10^-6 pico."""

    wording: Wording
    period: Period
    is_cost: bool
    charged: int = 0
    events: int = 0
    sums: list[int] = field(default_factory=list)


def compute_contents(
    period: Period,
    version: TermsVersion,
    usage: Sequence[BilledUsage],
    one_offs: Sequence[OneOffItem],
    prepaid: Sequence[PrepaidUsage] = (),
    *,
    besides_minor: int = 0,
    is_bound: bool = True,
) -> InvoiceContents:
    """Return what an organization is invoiced for a period.

    Args:
        period: of the invoice; usage of earlier months was reported late, and its lines say so.
        version: the billing terms of the period.
        usage: all sums that are not on an invoice yet.
        one_offs: the one-off items.
        prepaid: usage that was paid with credits.
        besides_minor: other charges of the platform in the period, after discounts and refunds, before tax.
        is_bound: whether the commitment applies; not if the organization was closed before the period.
    """
    currency, shown = version.terms.currency, _shown(period, prepaid)
    groups = _grouped(period, usage, MAX_LINES - 1 - len(shown) - len(one_offs))
    charges = sum(_discounted(group.charged, 0, currency) for group in groups)
    volume = charges + besides_minor
    bps = version.terms.discount_bps(volume)
    lines: list[InvoiceLine] = []
    places: dict[int, int] = {}
    for group in groups:
        # The discounted amount is rounded up once. The discount is the difference to the full amount, rounded up as
        # well.
        whole, left = (_discounted(group.charged, each, currency) for each in (0, bps))
        if left:
            places |= dict.fromkeys(group.sums, len(lines))
            lines.append(
                _line(
                    _wording(group, bps),
                    fixed_minor=whole,
                    discount_minor=whole - left,
                    period=group.period,
                    is_cost=group.is_cost,
                )
            )
    used = sum(line.amount_minor for line in lines)
    committed = committed_minor(version, period) if is_bound and version.terms.mode is UsageMode.ARREARS else 0
    shortfall = max(0, committed - used)
    if shortfall:
        lines.append(_line((("commitment", month_text(period.month)),), unit_minor=shortfall, period=period))
    lines += [
        InvoiceLine(description=each.description, quantity=each.quantity, unit_minor=each.unit_minor)
        for each in one_offs
    ]
    lines += shown
    return InvoiceContents(
        lines=tuple(lines),
        charges_minor=charges,
        volume_minor=volume,
        discount_bps=bps,
        usage_minor=used,
        shortfall_minor=shortfall,
        places=tuple(places.get(index) for index in range(len(usage))),
    )


def _shown(period: Period, prepaid: Sequence[PrepaidUsage]) -> list[InvoiceLine]:
    """Return lines of usage that was paid with credits, largest first; the smallest share one line."""
    order = sorted(prepaid, key=lambda each: (-each.credits_minor, each.action or ""))
    named, rest = order[: MAX_PREPAID_LINES - 1], order[MAX_PREPAID_LINES - 1 :]
    phrases: list[tuple[Phrase, list[PrepaidUsage]]] = [
        (("paid_with_credits", each.action[:_SHOWN]) if each.action else ("paid_uses",), [each]) for each in named
    ]
    if rest:
        phrases.append((("other_actions", str(len(rest))), rest))
    return [
        _line(
            (phrase, ("credits", format_amount(sum(each.credits_minor for each in parts), CREDIT))),
            quantity=sum(each.quantity for each in parts),
            fixed_minor=0,
            period=period,
        )
        for phrase, parts in phrases
    ]


def _discounted(charged: int, bps: int, currency: str) -> int:
    # Multiplied first and divided once, to be exact.
    return -(-charged * (WHOLE_BPS - bps) // (WHOLE_BPS * WHOLE_E6 * minor_pico(currency)))


def _grouped(period: Period, usage: Sequence[BilledUsage], most: int) -> list[_Group]:
    """Group sums by price and month; if there would be too many lines, the smallest share one."""
    groups: dict[tuple[date, PriceSource, str], _Group] = {}
    for index, each in enumerate(usage):
        key = (each.month, each.source, each.ref)
        late: Wording = (("late", month_text(each.month)),) if each.month < period.month else ()
        if key not in groups:
            wording = ((_KINDS[each.source], each.name[:_SHOWN]), *late)
            own = period if each.month == period.month else period_of(each.month, period.time_zone)
            groups[key] = _Group(wording, own, each.source is PriceSource.MODEL)
        group = groups[key]
        _add(group, each.charged, each.events, [index])
    order = list(PriceSource)
    found = [groups[key] for key in sorted(groups, key=lambda key: (key[0], order.index(key[1]), key[2]))]
    costing = sorted((group for group in found if group.charged), key=lambda group: -group.charged)
    if len(costing) <= most:
        return found
    small = costing[most - 1 :]
    rest = _Group((("other_prices", str(len(small))),), period, any(group.is_cost for group in small))
    for group in small:
        _add(rest, group.charged, group.events, group.sums)
    gone = {id(group) for group in small}
    return [*(group for group in found if id(group) not in gone), rest]


def _add(group: _Group, charged: int, events: int, sums: Sequence[int]) -> None:
    group.charged += charged
    group.events += events
    group.sums += sums


def _wording(group: _Group, bps: int) -> Wording:
    discount: Wording = (("less", f"{Decimal(bps) / 100:f}"),) if bps else ()
    return (*group.wording, ("event" if group.events == 1 else "events", str(group.events)), *discount)


def _line(
    wording: Wording,
    *,
    quantity: int = 1,
    unit_minor: int = 0,
    fixed_minor: int | None = None,
    discount_minor: int = 0,
    period: Period | None = None,
    is_cost: bool = False,
) -> InvoiceLine:
    return InvoiceLine(
        description=text_of(wording),
        wording=wording,
        quantity=quantity,
        unit_minor=unit_minor,
        fixed_minor=fixed_minor,
        discount_minor=discount_minor,
        period_start=None if period is None else period.starts_at,
        period_end=None if period is None else period.ends_at,
        is_cost=is_cost,
    )
