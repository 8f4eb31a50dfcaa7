from datetime import UTC, datetime

import pytest

from domain.common.calendar import FOREVER, Window
from domain.credits.spend.alerts import AlertKind, SpendEvent, detail_of

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def happened(kind: AlertKind, window: Window | None, ends_at: datetime | None = MIDNIGHT, **more: object) -> SpendEvent:
    return SpendEvent(key="1", org_id="org_1", kind=kind, subject="agent agt_1", window=window, ends_at=ends_at, **more)


@pytest.mark.parametrize("window", Window)
def test_limit_of_every_window_has_a_name(window: Window) -> None:
    assert " limit of agent agt_1 is spent" in detail_of(happened(AlertKind.BUDGET, window, part_e4=8000))


def test_alert_names_the_limit_and_its_reset_time() -> None:
    assert detail_of(happened(AlertKind.THRESHOLD, Window.DAY, part_e4=5000)) == (
        "50% of the daily limit of agent agt_1 is spent or reserved; the next window begins at 2026-03-02T00:00:00Z."
    )
    assert detail_of(happened(AlertKind.BURST, Window.LIFETIME, FOREVER)).startswith(
        "agent agt_1 used half of its lifetime limit in the first tenth of the window."
    )
    refused = happened(AlertKind.REFUSED, Window.MONTH, amount_minor=2_000_000, reason="limit")
    assert "it is more than what is left of the monthly limit;" in detail_of(refused)
    single = happened(AlertKind.REFUSED, None, None, amount_minor=2_000_000, reason="per_spend")
    assert detail_of(single).endswith("was refused: it is larger than a single spend may be.")
