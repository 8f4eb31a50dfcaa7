"""Revenue share of an agent's creator in marketplace sales, in basis points; the rest is the platform's."""

from domain.common.errors import Invalid
from domain.common.money import parse_ratio, plain_number

ALL_BPS = 10_000
#: Default share of a creator.
CREATOR_BPS = 9_000


def share_bps(text: str, field: str) -> int:
    """Parse a share: `0.90`, or a percentage above one such as `90`.

    Raises:
        Invalid: it is not a number from 0 to 100, or not in whole basis points.
    """
    plain = plain_number(text)
    whole, _, decimals = (plain or "").partition(".")
    if plain is None or plain.startswith("-") or int(whole) < 1 or not (int(whole) > 1 or decimals.strip("0")):
        return parse_ratio(text, field)
    decimals = decimals.rstrip("0")
    if int(whole) > 100 or (int(whole) == 100 and decimals) or len(decimals) > 2:
        raise Invalid(f"{field} must be a share such as 0.90, or a percentage such as 90.", extra={"field": field})
    return int(whole + decimals.ljust(2, "0"))
