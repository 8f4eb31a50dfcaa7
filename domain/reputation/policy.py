"""A deployment's settings of evidence: who may count, and when evidence may improve terms."""

from dataclasses import dataclass, field

from domain.common.credits import CreditPrice
from domain.credits.lots import Sharing

#: How long a payer of the usual cards can have a payment charged back.
CHARGEBACK_DAYS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePolicy:
    """The deployment's rules for evidence.

    Attributes:
        registrars: principals of the platform that make unrelated organizations; `*` for all of them.
        chargeback_days: good evidence betters terms so many days after it came in, when its payer can no longer take
            the money back.
        credit: what a credit is worth beside money; None counts it as a dollar.
        sharing: how prices in credits are shared: good evidence is bounded by the commission that is kept.
    """

    registrars: tuple[str, ...] = ()
    chargeback_days: int = CHARGEBACK_DAYS
    credit: CreditPrice | None = None
    sharing: Sharing = field(default_factory=Sharing)


def seasoning_days(good_e6: int, bad_e6: int, chargeback_days: int) -> int:
    """Return after how many days an event counts for terms: bad news at once, good news after the payer's window."""
    return 0 if good_e6 < bad_e6 else chargeback_days
