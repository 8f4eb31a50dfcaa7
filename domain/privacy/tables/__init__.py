"""The data map of the tables: every column, see `domain.privacy.data_map`. A noun is a module."""

from collections.abc import Mapping

from domain.privacy.places import Place
from domain.privacy.tables import (
    billing,
    budgets,
    cards,
    contracts,
    insight,
    ledger,
    marketplace,
    organizations,
    payments,
    reputation,
    returns,
    secrets,
    usage,
)

TABLES: Mapping[str, Place] = {
    **billing.TABLES,
    **budgets.TABLES,
    **cards.TABLES,
    **contracts.TABLES,
    **insight.TABLES,
    **ledger.TABLES,
    **marketplace.TABLES,
    **organizations.TABLES,
    **payments.TABLES,
    **reputation.TABLES,
    **returns.TABLES,
    **secrets.TABLES,
    **usage.TABLES,
}
