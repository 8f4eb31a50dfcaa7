"""How an outage of the API extends deadlines: nobody could act, so nobody may lose by its silence.

After an outage, a deadline that ends something acts only once the API has been there again for as long as it was away.
Whoever causes an outage gains no more time than everybody loses, and who causes many has a bound in all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.escrow.deadlines import agreed_at, next_deadline
from domain.escrow.state import Escrow, EscrowStatus

#: The longest time that one outage gives back. A deadline acts this long after that at the latest, come what may.
LONGEST = timedelta(days=1)
#: How long after its agreed time a deadline acts at the latest, however many outages there were.
IN_ALL = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which no web process ran; `ended_at` is None while it lasts."""

    began_at: datetime
    ended_at: datetime | None = None


def extended_until(escrow: Escrow, outage: Outage | None, now: datetime) -> datetime | None:
    """Return until when a deadline that has passed is extended; None if it acts now.

    A deadline that passed before the outage acts. While the outage lasts, each extension is as long as it has lasted.
    The alert that a decision is overdue acts: the time of the default begins with it.
    """
    deadline, agreed = next_deadline(escrow), agreed_at(escrow)
    if outage is None or deadline is None or agreed is None or deadline.at <= outage.began_at:
        return None
    if escrow.status is EscrowStatus.DISPUTED and escrow.dispute and not escrow.dispute.overdue_alerted:
        return None
    ended_at = outage.ended_at or now
    given_back = min(ended_at - outage.began_at, LONGEST)
    until = min(ended_at + given_back, outage.began_at + 2 * LONGEST, agreed + IN_ALL)
    return until if until > now else None
