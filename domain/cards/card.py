"""Cards of agents: their states, and what one may be made for."""

from enum import StrEnum

from domain.common.errors import Invalid

#: The most categories of merchants that a card can be confined to.
MAX_CATEGORIES = 50
_ALL = "all"


class CardStatus(StrEnum):
    """The status of a card."""

    PENDING = "pending"  # the issuer has not made it yet
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class CardChange(StrEnum):
    """What is done with a card."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    CLOSE = "close"


#: The status after a change.
STATUS_AFTER = {
    CardChange.FREEZE: CardStatus.FROZEN,
    CardChange.UNFREEZE: CardStatus.ACTIVE,
    CardChange.CLOSE: CardStatus.CLOSED,
}


def issues_to(setting: str | None, org_id: str) -> bool:
    """Return whether an organization may have cards: all may, those that the setting lists, or none by default.

    Raises:
        Invalid: the setting lists something else.
    """
    listed = {each.strip() for each in (setting or "").split(",") if each.strip()}
    if any(each != _ALL and not each.startswith("org_") for each in listed):
        raise Invalid("It must be `all`, or ids of organizations, separated by commas.")
    return _ALL in listed or org_id in listed
