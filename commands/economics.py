"""`manage economics`: the platform's margin of each package and plan."""

import argparse
import sys
from collections.abc import Sequence

from commands.books import table
from domain.common.money import CREDIT, format_amount
from domain.payments.sale_margin import CreditUse, SaleMargin
from runtime.settings import Settings, read_settings

_HEAD = (
    "",
    "price",
    "credits",
    "for them",
    "fee",
    *("escrows", "left", "sales of agents", "left", "model calls", "left"),
)


def run(given: argparse.Namespace) -> int:  # noqa: ARG001
    sys.stdout.write("\n".join(shown(read_settings())) + "\n")
    return 0


def shown(settings: Settings) -> list[str]:
    """Return the lines: the configured shares, and a row for each package and price of a plan.

    For each use of the credits a row has the amount for payees, creators or model providers, and the margin.
    """
    percent = [f"{bps / 100:g} %" for bps in (settings.commission_bps, settings.creator_share_bps)]
    fixed = settings.provider_fee_fixed.written(settings.credit_currency)
    return [
        f"Provider's fee {settings.provider_fee_percent} % and {fixed}, commission {percent[0]}, creators' share "
        f"{percent[1]}, markup on model calls {settings.cost_markup_e6 / 10_000:g} %",
        "",
        *table([_HEAD, *map(_row, settings.sale_margins)]),
    ]


def _row(each: SaleMargin) -> Sequence[str]:
    sale = each.sale
    minor = [sale.worth_minor, each.fee_minor, *(side[use] for use in CreditUse for side in (each.owed, each.left))]
    price = f"{format_amount(sale.price_minor, sale.currency)} {sale.currency}"
    credits = format_amount(sale.credits_minor, CREDIT)
    return (sale.name, price, credits, *(format_amount(one, sale.currency) for one in minor))
