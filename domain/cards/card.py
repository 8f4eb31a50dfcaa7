"""Cards of agents: states, changes and eligible organizations."""

from enum import StrEnum

from domain.common.errors import Invalid

#: The maximum number of merchant categories of a card.
MAX_CATEGORIES = 50
_ALL = "all"


class CardStatus(StrEnum):
    """Status of a card."""

    PENDING = "pending"  # the issuer has not made it yet
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class CardChange(StrEnum):
    """Change of a card's status."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    CLOSE = "close"


#: Status after a change.
STATUS_AFTER = {
    CardChange.FREEZE: CardStatus.FROZEN,
    CardChange.UNFREEZE: CardStatus.ACTIVE,
    CardChange.CLOSE: CardStatus.CLOSED,
}


def issues_to(setting: str | None, org_id: str) -> bool:
    """Return whether an organization may have cards, by a setting: all, listed ones, or none by default.

    Raises:
        Invalid: the setting is neither `all` nor a list of organizations.
    """
    listed = {each.strip() for each in (setting or "").split(",") if each.strip()}
    if any(each != _ALL and not each.startswith("org_") for each in listed):
        raise Invalid("It must be `all`, or ids of organizations, separated by commas.")
    return _ALL in listed or org_id in listed
