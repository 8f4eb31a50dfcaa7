"""What payment policies, free options and declared methods look like over HTTP."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import (
    Amount,
    Currency,
    Exact,
    Name,
    Note,
    OrganizationId,
    Period,
    RequestModel,
    ResponseModel,
    Share,
    Whole,
    example,
    period_text,
)
from domain.budgets.policy import (
    MAX_NAME,
    MAX_NAMES,
    MAX_QUOTA,
    NOT_CONNECTED,
    CryptoPreferences,
    FreeFirst,
    FreeOption,
    MethodKind,
    Policy,
    PolicyScope,
    WalletCreation,
)
from domain.common.errors import Invalid
from domain.common.money import format_amount, format_ratio, parse_amount, parse_ratio
from domain.credits.spend.control import shown_amount
from models.budgets.free_option import FreeOptionRow
from models.budgets.payment_policy import PaymentPolicy
from models.budgets.purchase_method import PurchaseMethod
from repositories.budgets.free_option import option_of
from repositories.budgets.payment_policy import policy_of
from services.budgets.policy import MethodDeclaration

ShortName = Annotated[Name, Field(max_length=MAX_NAME)]
_Names = Annotated[list[ShortName], Field(max_length=MAX_NAMES)]
MethodName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_FREE_FIRST_ABOVE = "The amount up to which alternatives need not be looked for; null for zero."


class PolicySubjectSet(RequestModel):
    """What a policy is for."""

    type: PolicyScope
    id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="The id of the project or agent. Leave it out for the organization."
    )


class PolicyNamesSet(RequestModel):
    """Names to buy from or in. Case and extra spaces do not count."""

    allowed: _Names = Field(default_factory=list, description="The only ones; empty for all.")
    refused: _Names = Field(default_factory=list)


class PolicyCryptoSet(RequestModel):
    """Which coins are preferred, and why."""

    primary: MethodKind | None = Field(default=None, description="The coin that goes before all others.")
    reasoning: Note | None = Field(default=None, description="Why; for people.")
    fallbacks: Annotated[list[MethodKind], Field(max_length=len(MethodKind))] = Field(
        default_factory=list, description="The coins that go next, in this order."
    )
    wallet_creation: WalletCreation = Field(
        default=WalletCreation.NEVER, description="Whether agents may create wallets."
    )

    def preferences(self) -> CryptoPreferences:
        """Return the same as a rule reads it.

        Raises:
            Invalid: they contradict themselves.
        """
        return CryptoPreferences(
            primary=self.primary,
            fallbacks=tuple(self.fallbacks),
            reasoning=self.reasoning,
            wallet_creation=self.wallet_creation,
        )


class PaymentPolicySet(RequestModel):
    """A payment policy. It replaces the one before as a whole; fields that are left out are reset."""

    model_config = example(
        subject={"type": "project", "id": "prj_01kar6h2d8e4wvq3r5s7t9x1zy"},
        currency="CAD",
        free_first="require",
        free_first_above="5",
        methods=["free", "card", "TON"],
        per_purchase="50",
        approval_above="20",
        answer_within="PT4H",
    )

    subject: PolicySubjectSet = Field(description="The organization, or one of its projects or agents.")
    currency: Currency = Field(default="USD", description="The currency of all amounts of the policy.")
    free_first: FreeFirst = Field(
        default=FreeFirst.ASK,
        description=(
            "Whether a purchase has to name the alternatives that were looked at (`ask`), or a free one that does not "
            "fit (`require`)."
        ),
    )
    free_first_above: Amount | None = Field(default=None, description=_FREE_FIRST_ABOVE)
    methods: Annotated[list[MethodKind], Field(min_length=1, max_length=len(MethodKind))] = Field(
        default_factory=lambda: list(MethodKind),
        description="The order of kinds of methods. Kinds that are left out may not be used.",
    )
    crypto: PolicyCryptoSet = Field(default_factory=PolicyCryptoSet)
    vendors: PolicyNamesSet = Field(default_factory=PolicyNamesSet)
    categories: PolicyNamesSet = Field(default_factory=PolicyNamesSet)
    per_purchase: Amount | None = Field(default=None, description="The most that one purchase may be.")
    approval_above: Amount | None = Field(
        default=None, description="The amount above which one person has to approve; 0 for every purchase."
    )
    two_persons_above: Amount | None = Field(
        default=None, description="The amount above which two persons have to approve."
    )
    answer_within: Period = Field(
        default=timedelta(days=1), description="How long they have to answer. Then the purchase is declined."
    )
    version: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None,
        description="The version that you have read, 0 for none. If it has changed since, the request is refused.",
    )
    organization_id: OrganizationId | None = Field(default=None, description="For operators.")

    def policy(self) -> Policy:
        """Return the same as a rule reads it.

        Raises:
            Invalid: it contradicts itself, or an amount is none of the currency.
        """
        return Policy(
            currency=self.currency,
            free_first=self.free_first,
            free_first_above_minor=self._minor("free_first_above"),
            methods=tuple(self.methods),
            crypto=self.crypto.preferences(),
            vendors_allowed=tuple(self.vendors.allowed),
            vendors_refused=tuple(self.vendors.refused),
            categories_allowed=tuple(self.categories.allowed),
            categories_refused=tuple(self.categories.refused),
            per_purchase_minor=self._minor("per_purchase"),
            approval_above_minor=self._minor("approval_above"),
            two_persons_above_minor=self._minor("two_persons_above"),
            answer_within=self.answer_within,
        )

    def _minor(self, field: str) -> int | None:
        text = getattr(self, field)
        return None if text is None else minor_of(text, self.currency, field)


def minor_of(text: str, currency: str, field: str) -> int:
    """Return an amount of a named field in minor units.

    Raises:
        Invalid: it is none of the currency; the field is named.
    """
    try:
        return parse_amount(text, currency, zero=True)
    except Invalid as refusal:
        raise Invalid(refusal.detail, extra={"field": field}) from None


class PolicySource(StrEnum):
    """Whose policy it is; `default` if none was set."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    AGENT = "agent"
    DEFAULT = "default"


class PolicySubjectView(ResponseModel):
    """What a policy is for."""

    type: PolicySource
    id: str | None = Field(description="Null for the default.")
    name: str | None


class PolicyNamesView(ResponseModel):
    """Names to buy from or in."""

    allowed: list[str]
    refused: list[str]


class PolicyCryptoView(ResponseModel):
    """Which coins are preferred, and why."""

    primary: MethodKind | None
    reasoning: str | None
    fallbacks: list[MethodKind]
    wallet_creation: WalletCreation


class PaymentPolicyView(ResponseModel):
    """A payment policy."""

    id: str | None = Field(description="Null for the default.")
    organization_id: str
    subject: PolicySubjectView
    version: int = Field(description="0 for the default.")
    currency: str
    free_first: FreeFirst
    free_first_above: Exact | None = Field(description=_FREE_FIRST_ABOVE)
    methods: list[MethodKind]
    order: list[MethodKind] = Field(description="`methods` with the preferred coins first among the coins.")
    crypto: PolicyCryptoView
    vendors: PolicyNamesView
    categories: PolicyNamesView
    per_purchase: Exact | None
    approval_above: Exact | None
    two_persons_above: Exact | None
    answer_within: str = Field(description="ISO 8601 duration.", examples=["P1D"])
    updated_by: str | None
    updated_at: datetime | None

    @classmethod
    def of(cls, row: PaymentPolicy | None, org_id: str, names: Mapping[str, str]) -> "PaymentPolicyView":
        """Show a row, or the default; `names` has what its subject is called, by id."""
        policy = Policy() if row is None else policy_of(row)
        subject = PolicySubjectView(type=PolicySource.DEFAULT, id=None, name=None)
        if row is not None:
            named = names.get(row.subject_id)
            subject = PolicySubjectView(type=PolicySource(row.scope), id=row.subject_id, name=named)
        amounts = {
            name: shown_amount(getattr(policy, f"{name}_minor"), policy.currency)
            for name in ("free_first_above", "per_purchase", "approval_above", "two_persons_above")
        }
        return cls.from_row(
            policy,
            id=None if row is None else row.id,
            organization_id=org_id,
            subject=subject,
            version=0 if row is None else row.version,
            crypto=PolicyCryptoView(
                primary=policy.crypto.primary,
                reasoning=policy.crypto.reasoning,
                fallbacks=list(policy.crypto.fallbacks),
                wallet_creation=policy.crypto.wallet_creation,
            ),
            vendors=PolicyNamesView(allowed=list(policy.vendors_allowed), refused=list(policy.vendors_refused)),
            categories=PolicyNamesView(
                allowed=list(policy.categories_allowed), refused=list(policy.categories_refused)
            ),
            answer_within=period_text(int(policy.answer_within.total_seconds())),
            updated_by=None if row is None else row.updated_by,
            updated_at=None if row is None else row.updated_at,
            **amounts,
        )


class QuotaWindow(StrEnum):
    """The window of a quota, in UTC; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class FreeOptionSet(RequestModel):
    """A free option. It replaces the one of that name."""

    model_config = example(
        name="Codeium", category="coding", address="https://codeium.example", quota=500, quota_window="month"
    )

    name: ShortName = Field(description="Unique in the organization. Case and extra spaces do not count.")
    category: ShortName = Field(description="The category of purchases that it can replace.")
    address: Name | None = Field(default=None, description="Where it is: a URL or another address.")
    quota: Annotated[Whole, Field(ge=1, le=MAX_QUOTA)] | None = Field(
        default=None, description="How often it can be used in a window; null without a limit."
    )
    quota_window: QuotaWindow | None = None
    organization_id: OrganizationId | None = Field(default=None, description="For operators.")

    def option(self) -> FreeOption:
        """Return the same as a rule reads it.

        Raises:
            Invalid: a quota has no window, or a window no quota.
        """
        window = None if self.quota_window is None else self.quota_window.value
        return FreeOption(
            name=self.name, category=self.category, address=self.address, quota=self.quota, quota_window=window
        )


class FreeOptionView(ResponseModel):
    """A free option, and what is used of its quota."""

    id: str
    organization_id: str
    name: str
    category: str
    address: str | None
    quota: int | None
    quota_window: QuotaWindow | None
    used: int = Field(description="How often purchases were abandoned for it in the current window of its quota.")
    updated_by: str
    updated_at: datetime

    @classmethod
    def of(cls, row: FreeOptionRow, at: datetime) -> "FreeOptionView":
        return cls.from_row(row, used=option_of(row, at).used)


class MethodFeeSet(RequestModel):
    """What a payment is expected to cost beside its amount: a share of it, and a fixed part."""

    share: Share = Field(default="0", description="The part of the amount, `0.029` for 2.9 %.")
    fixed: Amount | None = Field(default=None, description="In `currency`. It counts for purchases in that currency.")
    currency: Currency | None = None


class PurchaseMethodSet(RequestModel):
    """A method that the organization pays with outside. It replaces the one of that name.

    No card number and no key of a wallet belongs here: the label has the last four digits at most.
    """

    model_config = example(
        name="card_primary",
        label="Card ending in 1234",
        kind="card",
        fee={"share": "0.029", "fixed": "0.30", "currency": "USD"},
    )

    name: MethodName = Field(description="Its code, in the log and in attempts.")
    label: ShortName = Field(description="What people and agents read.")
    kind: MethodKind
    fee: MethodFeeSet | None = Field(default=None, description="Null if it is not known.")
    rank: Annotated[Whole, Field(ge=0, le=1000)] | None = Field(
        default=None,
        description="Its place among methods of equal cost, lower first. Left out, it stays, and a new one goes last.",
    )
    organization_id: OrganizationId | None = Field(default=None, description="For operators.")

    def declared(self) -> MethodDeclaration:
        """Return the same as the service takes it.

        Raises:
            Invalid: a fixed fee has no currency, or a currency no fixed fee.
        """
        fee = self.fee
        if fee is not None and (fee.fixed is None) is not (fee.currency is None):
            raise Invalid("A fixed fee needs a currency, and a currency a fixed fee.", extra={"field": "fee.currency"})
        fixed = None
        if fee is not None and fee.fixed is not None and fee.currency is not None:
            fixed = minor_of(fee.fixed, fee.currency, "fee.fixed")
        return MethodDeclaration(
            name=self.name,
            label=self.label,
            kind=self.kind,
            fee_share_e4=None if fee is None else parse_ratio(fee.share, "fee.share"),
            fee_fixed_minor=fixed,
            fee_currency=None if fee is None else fee.currency,
            rank=self.rank,
        )


class MethodFeeView(ResponseModel):
    """What a payment is expected to cost beside its amount."""

    share: Exact
    fixed: Exact | None
    currency: str | None


class PurchaseMethodView(ResponseModel):
    """A declared method."""

    id: str
    organization_id: str
    name: str
    label: str
    kind: MethodKind
    available: bool = Field(description="Whether it can be used from here.")
    why_not: str | None = Field(description="`not_connected`: whoever paid reports the attempt.")
    fee: MethodFeeView | None
    rank: int = Field(description="Its place among methods of equal cost, lower first.")
    attempts: int = Field(description="How many attempts have ended. Failures count in the order from 20 on.")
    succeeded: int
    updated_by: str
    updated_at: datetime

    @classmethod
    def of(cls, row: PurchaseMethod) -> "PurchaseMethodView":
        fee = None
        if row.fee_share_e4 is not None:
            fixed = None
            if row.fee_fixed is not None and row.fee_currency is not None:
                fixed = format_amount(row.fee_fixed, row.fee_currency)
            fee = MethodFeeView(share=format_ratio(row.fee_share_e4), fixed=fixed, currency=row.fee_currency)
        return cls.from_row(row, available=False, why_not=NOT_CONNECTED, fee=fee)
