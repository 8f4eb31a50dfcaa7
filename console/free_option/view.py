"""What the pages of the catalogue show."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.charts import Meter
from console.charts.rank import meter
from console.format import Prefs, count
from console.payment_policy import entries
from console.widgets import External, external

WINDOWS = {"day": "Each day", "week": "Each week", "month": "Each month"}
_NOW = {"day": "Today", "week": "This week", "month": "This month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(entries.Row):
    """One option; `meter` is None without a quota."""

    name: str
    category: str
    address: External | None
    meter: Meter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(entries.Listing):
    rows: tuple[Row, ...]


def row(found: Mapping[str, Any], prefs: Prefs, **addresses: str) -> Row:
    quota, address = found["quota"], found["address"]
    drawn = None
    if quota is not None:
        words = f"{count(found['used'], prefs)} of {count(quota, prefs)} used"
        drawn = meter(_NOW[found["quota_window"]], Decimal(found["used"]), Decimal(quota), words)
    return Row(
        name=found["name"],
        category=found["category"],
        address=external(address, address) if address else None,
        meter=drawn,
        **addresses,
    )


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(found[name] or "") for name in ("name", "category", "address", "quota", "quota_window")}
