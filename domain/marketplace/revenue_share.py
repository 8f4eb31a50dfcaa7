"""How what is paid on the marketplace is shared between an agent's creator and the platform, in basis points."""

from domain.common.errors import Invalid
from domain.common.money import parse_ratio, plain_number

ALL_BPS = 10_000
#: What a creator has where nothing else is said.
CREATOR_BPS = 9_000


def share_bps(text: str, field: str) -> int:
    """Read a share: `0.90`, or as a percentage `90`, which is above one.

    Raises:
        Invalid: it is no number from 0 to 100, or is not in whole basis points.
    """
    plain = plain_number(text)
    whole, _, decimals = (plain or "").partition(".")
    if plain is None or plain.startswith("-") or int(whole) < 1 or not (int(whole) > 1 or decimals.strip("0")):
        return parse_ratio(text, field)
    decimals = decimals.rstrip("0")
    if int(whole) > 100 or (int(whole) == 100 and decimals) or len(decimals) > 2:
        raise Invalid(f"{field} must be a share such as 0.90, or a percentage such as 90.", extra={"field": field})
    return int(whole + decimals.ljust(2, "0"))
