"""Accounts for bank transfers, as Stripe shows them in test mode; no bank has them."""

from typing import Any

JSON = dict[str, Any]

_BANK = "STRIPE TEST BANK"
_HOLDER = "Sandbox"
# Not 000123456789, which is the number of a test account that can be debited.
_NUMBER = "000000009876"


def addresses(kind: str, country: str | None = None) -> list[JSON]:
    """Return the accounts for a type of bank transfer, in the order in which Stripe lists them."""
    return [each | {each["type"]: each[each["type"]] | _parties()} for each in _ADDRESSES[kind](country)]


def _parties() -> JSON:
    address = {
        "city": "South San Francisco",
        "country": "US",
        "line1": "354 Oyster Point Blvd",
        "line2": None,
        "postal_code": "94080",
        "state": "CA",
    }
    return {"account_holder_address": address, "account_holder_name": _HOLDER, "bank_address": address}


def _us(_: str | None) -> list[JSON]:
    account = {"account_number": _NUMBER, "account_type": "checking", "bank_name": _BANK}
    return [
        {
            "type": "aba",
            "supported_networks": ["ach", "domestic_wire_us"],
            "aba": account | {"routing_number": "110000000"},
        },
        {"type": "swift", "supported_networks": ["swift"], "swift": account | {"swift_code": "TESTUS99XXX"}},
    ]


def _eu(country: str | None) -> list[JSON]:
    country = country or "DE"
    iban = {"bic": "TESTDE99XXX", "country": country, "iban": f"{country}00{_NUMBER:>018}"}
    return [{"type": "iban", "supported_networks": ["sepa"], "iban": iban}]


def _gb(_: str | None) -> list[JSON]:
    account = {"account_number": _NUMBER[-8:], "sort_code": "000000"}
    return [{"type": "sort_code", "supported_networks": ["bacs", "fps"], "sort_code": account}]


def _jp(_: str | None) -> list[JSON]:
    account = {
        "account_number": _NUMBER[-7:],
        "account_type": "futsu",
        "bank_code": "0000",
        "bank_name": _BANK,
        "branch_code": "000",
        "branch_name": "TEST",
    }
    return [{"type": "zengin", "supported_networks": ["zengin"], "zengin": account}]


def _mx(_: str | None) -> list[JSON]:
    account = {"bank_code": "000", "bank_name": _BANK, "clabe": f"{_NUMBER:>018}"}
    return [{"type": "spei", "supported_networks": ["spei"], "spei": account}]


_ADDRESSES = {
    "us_bank_transfer": _us,
    "eu_bank_transfer": _eu,
    "gb_bank_transfer": _gb,
    "jp_bank_transfer": _jp,
    "mx_bank_transfer": _mx,
}
