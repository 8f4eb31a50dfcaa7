"""Payment policies: permission and approval of purchases, and order of methods. Pure.

Amounts are minor units, those of a policy in its own currency, to which a purchase is converted first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import ceil

from domain.budgets.free_text import check_free_text, normalize_name
from domain.common.calendar import Window, window_start, zone_of
from domain.common.errors import Invalid
from domain.common.money import COINS, MAX_AMOUNT_MINOR, SCALES, SLOT

#: The maximum number of names in each list of vendors and categories.
MAX_NAMES = 100
#: The maximum length of the name of a vendor, a category, an option or a method's label.
MAX_NAME = 80
#: The minimum and maximum time to answer.
MIN_ANSWER, MAX_ANSWER = timedelta(minutes=1), timedelta(days=30)
#: The number of attempts from which a method's failure rate counts.
MEASURED_AFTER = 20
#: The share of a quota, in percent, at which an alert is raised.
WARN_PERCENT = 80
#: The maximum quota.
MAX_QUOTA = 10**9
QUOTA_WINDOWS = (Window.DAY, Window.WEEK, Window.MONTH)
#: Reasons why a method cannot be used.
NOT_CONNECTED, NOT_IN_POLICY, NO_CREDITS = "not_connected", "not_in_policy", "insufficient_credits"

_E4 = 10_000


class FreeFirst(StrEnum):
    """Rule about free alternatives before a purchase."""

    OFF = "off"
    ASK = "ask"
    REQUIRE = "require"


class MethodKind(StrEnum):
    """Kind of a payment method."""

    FREE = "free"
    CARD = "card"
    TON = "TON"
    BTC = "BTC"
    ETH = "ETH"
    USDC = "USDC"
    OTHER = "other"


class WalletCreation(StrEnum):
    """Permission for agents to create wallets: never, after approval, or always."""

    NEVER = "never"
    ASK = "ask"
    ALLOWED = "allowed"


class PolicyScope(StrEnum):
    """Scope of a policy. Only the nearest one applies: the agent's, else the project's, else the organization's."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    AGENT = "agent"


class PolicyVerdict(StrEnum):
    """Verdict of a policy on a purchase."""

    APPROVED = "approved"
    NEEDS_ALTERNATIVES = "needs_alternatives"
    NEEDS_APPROVAL = "needs_approval"
    DECLINED_POLICY = "declined_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """An alternative that an agent considered before the purchase; `cost_minor` is None if it is unknown."""

    name: str
    url: str | None = None
    cost_minor: int | None = None
    fits: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedPurchase:
    """A requested purchase; the amount is in minor units of `currency`."""

    item: str
    vendor: str
    category: str
    amount_minor: int
    currency: str
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeOption:
    """A free option of the catalogue.

    Attributes:
        name: unique in the organization.
        category: of purchases that it can replace.
        address: a URL; None if not given.
        quota: the maximum uses in a window; None without a limit.
        quota_window: `day`, `week` or `month`, in UTC; None without a quota.
        used: the uses in the current window.
    """

    name: str
    category: str
    address: str | None = None
    quota: int | None = None
    quota_window: str | None = None
    used: int = 0

    def __post_init__(self) -> None:
        """Refuse contradictory values.

        Raises:
            Invalid: a quota without a window, a window without a quota, or one of these out of bounds.
        """
        if (self.quota is None) is not (self.quota_window is None):
            raise Invalid("A quota needs a window, and a window a quota.", extra={"field": "quota_window"})
        if self.quota_window is not None and self.quota_window not in QUOTA_WINDOWS:
            raise Invalid("quota_window must be day, week or month.", extra={"field": "quota_window"})
        if self.quota is not None and not 1 <= self.quota <= MAX_QUOTA:
            raise Invalid(f"quota must be between 1 and {MAX_QUOTA}.", extra={"field": "quota"})

    @property
    def has_quota_left(self) -> bool:
        """Whether the quota of the current window allows another use."""
        return self.quota is None or self.used < self.quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A payment method of an organization.

    Attributes:
        name: its code, such as `card_primary`.
        label: for people, such as "Card ending in 1234".
        available: whether it can be used.
        why_not: the reason if it cannot.
        fee_minor: the expected fee for the purchase, in its currency; None if it is unknown.
        rank: the order among methods of equal cost, lower first.
        attempts: the number of finished attempts.
        succeeded: the number of successful attempts.
    """

    name: str
    label: str
    kind: MethodKind
    available: bool = False
    why_not: str | None = NOT_CONNECTED
    fee_minor: int | None = None
    rank: int = 0
    attempts: int = 0
    succeeded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoPreferences:
    """Order of coins.

    Attributes:
        primary: the first coin.
        fallbacks: the next coins, in order.
        reasoning: for people.
        wallet_creation: whether agents may create wallets.
    """

    primary: MethodKind | None = None
    fallbacks: tuple[MethodKind, ...] = ()
    reasoning: str | None = None
    wallet_creation: WalletCreation = WalletCreation.NEVER

    def __post_init__(self) -> None:
        """Refuse contradictory values.

        Raises:
            Invalid: a kind is not a coin, or named twice, or there are fallbacks without a primary.
        """
        coins = self.in_order
        if any(kind.value not in COINS for kind in coins):
            raise Invalid("Crypto preferences name coins: TON, BTC, ETH, USDC.", extra={"field": "crypto"})
        if len(set(coins)) < len(coins):
            raise Invalid("Crypto preferences name a coin twice.", extra={"field": "crypto.fallbacks"})
        if self.fallbacks and self.primary is None:
            raise Invalid("Fallbacks need a primary coin.", extra={"field": "crypto.primary"})

    @property
    def in_order(self) -> tuple[MethodKind, ...]:
        """The preferred coins, the first one first."""
        return (*(() if self.primary is None else (self.primary,)), *self.fallbacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules for purchases. The defaults apply to an organization without a policy.

    Attributes:
        currency: of all amounts here.
        free_first: whether agents must look for free alternatives first.
        free_first_above_minor: up to this amount they need not look; None for 0.
        methods: the order of kinds of methods; other kinds are not allowed.
        crypto: the order among coins, at their places in `methods`.
        vendors_allowed: the only vendors allowed; empty for all.
        vendors_refused: refused vendors.
        categories_allowed: the only categories allowed; empty for all.
        categories_refused: refused categories.
        per_purchase_minor: the maximum of a purchase; None without one.
        approval_above_minor: the amount above which a person must approve; None for never.
        two_persons_above_minor: the amount above which two persons must approve; None for never.
        answer_within: the time to approve, after which the purchase is declined.
    """

    currency: str = "USD"
    free_first: FreeFirst = FreeFirst.ASK
    free_first_above_minor: int | None = None
    methods: tuple[MethodKind, ...] = tuple(MethodKind)
    crypto: CryptoPreferences = field(default_factory=CryptoPreferences)
    vendors_allowed: tuple[str, ...] = ()
    vendors_refused: tuple[str, ...] = ()
    categories_allowed: tuple[str, ...] = ()
    categories_refused: tuple[str, ...] = ()
    per_purchase_minor: int | None = None
    approval_above_minor: int | None = None
    two_persons_above_minor: int | None = None
    answer_within: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        """Refuse contradictory values.

        Raises:
            Invalid: names the field.
        """
        if self.currency not in SCALES or self.currency == SLOT:
            raise Invalid(f"A policy cannot be in {self.currency[:16]!r}.", extra={"field": "currency"})
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise Invalid("methods must name at least one kind, and each once.", extra={"field": "methods"})
        for name in ("free_first_above", "per_purchase", "approval_above", "two_persons_above"):
            amount = getattr(self, f"{name}_minor")
            if amount is not None and not 0 <= amount <= MAX_AMOUNT_MINOR:
                raise Invalid(f"{name} is out of bounds.", extra={"field": name})
        one, two = self.approval_above_minor, self.two_persons_above_minor
        if two is not None and (one is None or one > two):
            raise Invalid(
                "two_persons_above needs an approval_above that is not greater.", extra={"field": "two_persons_above"}
            )
        if not MIN_ANSWER <= self.answer_within <= MAX_ANSWER:
            raise Invalid("answer_within must be between a minute and 30 days.", extra={"field": "answer_within"})
        for what in ("vendors", "categories"):
            allowed, refused = (_distinct(getattr(self, f"{what}_{how}"), f"{what}.{how}") for how in _LISTS)
            if allowed & refused:
                raise Invalid(f"{what} allows and refuses the same name.", extra={"field": f"{what}.refused"})

    def check_texts(self) -> None:
        """Refuse names and reasons that are not allowed as free text, before a policy is written.

        Raises:
            Invalid: as `domain.budgets.free_text.check_free_text`.
        """
        for where in _NAMES:
            for name in getattr(self, where):
                check_free_text(name, where.replace("_", "."))
        if self.crypto.reasoning is not None:
            check_free_text(self.crypto.reasoning, "crypto.reasoning")

    @property
    def has_amounts(self) -> bool:
        """Whether it has rules about amounts, so that a purchase must be converted to `currency`."""
        amounts = (self.free_first_above_minor, self.per_purchase_minor, self.approval_above_minor)
        return any(amount is not None for amount in amounts)

    @property
    def order(self) -> tuple[MethodKind, ...]:
        """The allowed kinds in the order of `methods`, with preferred coins first among the coins."""
        coins = [kind for kind in self.methods if kind.value in COINS]
        preferred = [kind for kind in self.crypto.in_order if kind in coins]
        following = iter([*preferred, *(kind for kind in coins if kind not in preferred)])
        return tuple(next(following) if kind.value in COINS else kind for kind in self.methods)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """Result of applying a policy to a purchase.

    Attributes:
        verdict: the verdict.
        sentence: the reason, and what to do.
        free_options: the catalogue's options in the purchase's category.
        persons: the number of required approvals: 0, 1 or 2.
    """

    verdict: PolicyVerdict
    sentence: str
    free_options: tuple[FreeOption, ...] = ()
    persons: int = 0


_LISTS = ("allowed", "refused")
_NAMES = tuple(f"{what}_{how}" for what in ("vendors", "categories") for how in _LISTS)


def apply_policy(
    policy: Policy, wanted: RequestedPurchase, *, amount_minor_in_policy_currency: int, known: Sequence[FreeOption]
) -> PolicyResult:
    """Apply a policy to a purchase: names, maximum, free alternatives, approval; the first refusal counts.

    Args:
        policy: the rules.
        wanted: the purchase.
        amount_minor_in_policy_currency: the amount, converted and rounded up.
        known: the catalogue's free options of its category.
    """
    amount, options = amount_minor_in_policy_currency, tuple(known)
    refusal = _refused(policy, wanted, amount)
    if refusal is not None:
        return PolicyResult(verdict=PolicyVerdict.DECLINED_POLICY, sentence=refusal, free_options=options)
    missing = _missing(policy, wanted, amount, options)
    if missing is not None:
        return PolicyResult(verdict=PolicyVerdict.NEEDS_ALTERNATIVES, sentence=missing, free_options=options)
    persons = _persons(policy, amount)
    if persons:
        by = "One person has" if persons == 1 else "Two persons have"
        sentence = f"{by} to approve a purchase of this amount."
        return PolicyResult(
            verdict=PolicyVerdict.NEEDS_APPROVAL, sentence=sentence, free_options=options, persons=persons
        )
    return PolicyResult(
        verdict=PolicyVerdict.APPROVED, sentence="The policy allows the purchase.", free_options=options
    )


def _refused(policy: Policy, wanted: RequestedPurchase, amount_minor: int) -> str | None:
    """Return why the policy declines a purchase, or None."""
    for what, name, allowed, refused in (
        ("vendor", wanted.vendor, policy.vendors_allowed, policy.vendors_refused),
        ("category", wanted.category, policy.categories_allowed, policy.categories_refused),
    ):
        if normalize_name(name) in map(normalize_name, refused):
            return f"The policy refuses the {what} {name}."
        if allowed and normalize_name(name) not in map(normalize_name, allowed):
            return f"The policy does not allow the {what} {name}. Allowed: {', '.join(allowed)}."
    if policy.per_purchase_minor is not None and amount_minor > policy.per_purchase_minor:
        return "The amount is above what the policy allows for one purchase."
    return None


def _missing(policy: Policy, wanted: RequestedPurchase, amount_minor: int, known: Sequence[FreeOption]) -> str | None:
    """Return which alternatives must be considered first, or None."""
    if policy.free_first is FreeFirst.OFF or amount_minor <= (policy.free_first_above_minor or 0):
        return None
    if policy.free_first is FreeFirst.ASK:
        if wanted.alternatives:
            return None
        return f"Name the alternatives that you have looked at, free ones first.{_catalogue(known)}"
    catalogue = {normalize_name(option.name) for option in known}
    free = [each for each in wanted.alternatives if not each.cost_minor or normalize_name(each.name) in catalogue]
    fitting = next((each for each in free if each.fits), None)
    if fitting is not None:
        return f"{fitting.name} is free and fits. Abandon the purchase and use it, or say why it does not fit."
    if free:
        return None
    return f"Look at a free alternative first, and say why it does not fit.{_catalogue(known)}"


def _catalogue(known: Sequence[FreeOption]) -> str:
    names = [option.name if option.has_quota_left else f"{option.name} (quota used up)" for option in known]
    return f" The catalogue has: {', '.join(names)}." if names else ""


def _persons(policy: Policy, amount_minor: int) -> int:
    bounds = (policy.approval_above_minor, policy.two_persons_above_minor)
    return sum(bound is not None and amount_minor > bound for bound in bounds)


def rank_methods(policy: Policy, methods: Sequence[Method]) -> list[Method]:
    """Order methods by a policy; those of kinds that it does not allow are last and not available.

    Within a kind, available methods are first, then by expected cost: the fee divided by the success rate, which counts
    from 20 attempts on. Unknown fees are last. At equal cost the rank decides.
    """
    places = {kind: place for place, kind in enumerate(policy.order)}
    known = [
        method if method.kind in places else replace(method, available=False, why_not=NOT_IN_POLICY)
        for method in methods
    ]
    return sorted(
        known, key=lambda method: (places.get(method.kind, len(places)), *_cost(method), method.rank, method.name)
    )


def _cost(method: Method) -> tuple[bool, bool, Fraction]:
    """Return the sort key of methods of a kind: availability, known cost, expected cost."""
    success = Fraction(1)
    if method.attempts >= MEASURED_AFTER:
        success = Fraction(method.succeeded, method.attempts)
    known = method.fee_minor is not None and success > 0
    cost = Fraction(method.fee_minor or 0) / success if known else Fraction(0)
    return not method.available, not known, cost


def fee_for(amount_minor: int, *, share_e4: int, fixed_minor: int) -> int:
    """Return a fee in minor units, rounded up: a share of the amount in ten-thousandths, plus a fixed part."""
    return ceil(Fraction(amount_minor * share_e4, _E4)) + fixed_minor


def quota_window_start(window: str, at: datetime) -> datetime:
    """Return the start of the quota window that contains a moment, in UTC."""
    return window_start(Window(window), at, zone_of("UTC"), 1)


def is_nearly_used(option: FreeOption) -> bool:
    """Return whether 80 % of the quota is used, which raises the alert `free_quota`."""
    return option.quota is not None and option.used * 100 >= option.quota * WARN_PERCENT


def _distinct(names: Sequence[str], where: str) -> set[str]:
    if len(names) > MAX_NAMES:
        raise Invalid(f"{where} must name at most {MAX_NAMES}.", extra={"field": where})
    found = {normalize_name(name) for name in names}
    if len(found) < len(names):
        raise Invalid(f"{where} names the same twice.", extra={"field": where})
    return found
