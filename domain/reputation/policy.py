"""Settings of evidence: excluded counterparties, and the delay before good evidence improves terms."""

from dataclasses import dataclass, field

from domain.common.credits import CreditPrice
from domain.credits.lots import Sharing

#: Chargeback window of common cards, in days.
CHARGEBACK_DAYS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePolicy:
    """Rules of evidence of a deployment.

    Attributes:
        registrars: platform principals who create unrelated organizations; `*` for all of them.
        chargeback_days: delay before good evidence improves terms: the chargeback window of its payment.
        credit: the value of a credit in money; None for a dollar.
        sharing: the division of prices in credits: the platform's commission bounds good evidence.
    """

    registrars: tuple[str, ...] = ()
    chargeback_days: int = CHARGEBACK_DAYS
    credit: CreditPrice | None = None
    sharing: Sharing = field(default_factory=Sharing)


def delay_days(good_e6: int, bad_e6: int, chargeback_days: int) -> int:
    """Return the delay in days before an event counts for terms: none if bad, the chargeback window if good."""
    return 0 if good_e6 < bad_e6 else chargeback_days
