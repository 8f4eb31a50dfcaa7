"""What a policy's form holds, and the same as the API takes it: lists are typed, and names have a line each."""

from collections.abc import Mapping
from typing import Any

from console.forms import Form, period, period_typed, written
from domain.budgets.policy import MAX_NAMES, FreeFirst, MethodKind, WalletCreation
from domain.common.money import COINS

AMOUNTS = ("free_first_above", "per_purchase", "approval_above", "two_persons_above")
_LISTS = tuple((what, how) for what in ("vendors", "categories") for how in ("allowed", "refused"))
_CRYPTO = ("crypto_primary", "crypto_fallbacks", "crypto_reasoning", "crypto_wallet_creation")
_NAMED = tuple(f"{what}_{how}" for what, how in _LISTS)
#: The fields of what a policy says.
FIELDS = ("currency", "free_first", "methods", "answer_within", *AMOUNTS, *_CRYPTO, *_NAMED)
#: Those that stand behind "More", and are empty in most policies.
SELDOM = ("crypto_primary", "crypto_reasoning", *_NAMED)
FREE_FIRST = (
    (FreeFirst.OFF, "Not needed", "Agents may buy at once."),
    (FreeFirst.ASK, "Ask", "Agents name the alternatives that they checked."),
    (FreeFirst.REQUIRE, "Require", "Agents say why a free alternative does not fit."),
)
WALLETS = (
    (WalletCreation.NEVER, "Never"),
    (WalletCreation.ASK, "After a person's approval"),
    (WalletCreation.ALLOWED, "Yes"),
)
#: What each kind of method is called.
KINDS: Mapping[str, str] = {
    MethodKind.FREE: "Free options",
    MethodKind.CARD: "Card",
    MethodKind.OTHER: "Other",
    **{kind: kind for kind in MethodKind if kind in COINS},
}
COIN_CHOICES = (("", "None"), *((kind, kind) for kind in MethodKind if kind in COINS))
_TYPED = {kind.casefold(): kind.value for kind in MethodKind}


def policy(form: Form) -> dict[str, Any]:
    """Return what was typed as the API takes it; what it does not know as it was typed, so that it refuses."""
    body: dict[str, Any] = {name: form.maybe_number(name) for name in AMOUNTS}
    for what, how in _LISTS:
        body.setdefault(what, {})[how] = _lines(form.text(f"{what}_{how}"))
    return {
        **body,
        "currency": form.text("currency"),
        "free_first": form.text("free_first"),
        "methods": kinds(form.text("methods")),
        "answer_within": period(form.text("answer_within")),
        "crypto": {
            "primary": form.maybe("crypto_primary"),
            "fallbacks": kinds(form.text("crypto_fallbacks")),
            "reasoning": form.maybe("crypto_reasoning"),
            "wallet_creation": form.text("crypto_wallet_creation"),
        },
    }


def names() -> dict[str, str]:
    found = {"subject.id": "subject", "crypto": "crypto_primary"}
    found |= {f"crypto.fallbacks.{number}": "crypto_fallbacks" for number in range(len(MethodKind))}
    for what, how in _LISTS:
        found |= {f"{what}.{how}.{number}": f"{what}_{how}" for number in range(MAX_NAMES)}
    return found


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    crypto = found["crypto"]
    values = {name: written(found[name]) for name in AMOUNTS if found[name] is not None}
    values |= {f"{what}_{how}": "\n".join(found[what][how]) for what, how in _LISTS}
    return {
        **values,
        "currency": found["currency"],
        "free_first": found["free_first"],
        "methods": ", ".join(found["methods"]),
        "answer_within": period_typed(found["answer_within"]),
        "crypto_primary": crypto["primary"] or "",
        "crypto_fallbacks": ", ".join(crypto["fallbacks"]),
        "crypto_reasoning": crypto["reasoning"] or "",
        "crypto_wallet_creation": crypto["wallet_creation"],
        "version": str(found["version"]),
    }


def kinds(text: str) -> list[str]:
    words = text.replace(",", " ").split()
    return [_TYPED.get(word.casefold(), word) for word in words]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
