"""Billing profiles: what an organization states about itself, and what is refused."""

import re
from dataclasses import asdict, dataclass

from domain.billing.tax.rates import check_place
from domain.common.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an organization states about itself; None for fields left out. Country and region are ISO 3166.

    `charges_vat`: the earnings of its agents include VAT, which its statements show.
    """

    legal_name: str | None = None
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    region: str | None = None
    country: str | None = None
    email: str | None = None
    language: str | None = None
    vat_id: str | None = None
    charges_vat: bool = False

    def fields(self) -> dict[str, str | bool | None]:
        """Return every field by name."""
        return asdict(self)


#: Words in many companies' names, which do not distinguish them.
_COMMON = re.compile(
    "aktiengesellschaft|and|aps|bvba|company|corp|corporation|doo|eood|gesellschaft|gmbh|group|holding|inc|kft|limited|"
    "llc|llp|ltd|mbh|oyj|plc|sarl|sas|sasu|sia|societa|società|societe|société|sociedad|spa|spol|spółka|sprl|sro|srl|"
    "the|uab|und|unlimited"
)


def names_differ(ours: str | None, registered: str | None) -> bool:
    """Return whether a name shares no word of three or more letters with the register's name; False without a name.

    Legal forms do not count, because all companies of one form share it.
    """
    words = [
        {word for word in re.findall(r"\w{3,}", name.casefold()) if not _COMMON.fullmatch(word)}
        for name in (ours or "", registered or "")
    ]
    return bool(words[0] and words[1]) and not words[0] & words[1]


def check_profile(profile: Profile) -> None:
    """Refuse a country or region that does not exist; `Invalid` names the field."""
    check_place(profile.country, profile.region)
    if profile.region is not None and profile.country is None:
        raise Invalid("A region needs a country. Send country too.", extra={"field": "country"})
    if profile.charges_vat and profile.vat_id is None:
        raise Invalid("charges_vat needs a VAT number. Send vat_id too.", extra={"field": "vat_id"})
