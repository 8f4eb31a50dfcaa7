"""Schemas of creators' accounts."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from api.fields import RequestModel, ResponseModel, example
from api.v1.customers.schemas import ReturnUrl
from domain.payouts.creator import CreatorAccount
from providers.payouts.base import OnboardingLink


class ConnectCreate(RequestModel):
    """Opens the onboarding of the organization's account for payouts."""

    model_config = example(country="US", return_url="https://example.com/earnings")

    country: str = Field(
        default="US",
        pattern=r"^[A-Z]{2}$",
        description="The creator's country, as ISO 3166-1. It can be set only once.",
    )
    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$")
    return_url: ReturnUrl | None = Field(
        default=None, description="Where the owner returns to; BURSAR_PAYMENT_RETURN_URL when left out."
    )
    refresh_url: ReturnUrl | None = Field(
        default=None, description="Where the owner goes if the link was already opened; `return_url` when left out."
    )


class CreatorAccountView(ResponseModel):
    """The organization's account for payouts, as its provider last reported it."""

    organization_id: str
    provider: str
    account_id: str
    country: str
    status: str = Field(description="`onboarding`, `restricted` or `ready`.")
    transfers_enabled: bool
    payouts_enabled: bool
    tax_profile: bool = Field(description="Whether the provider knows the creator's tax status.")
    requirements: list[str] = Field(description="The information that the provider still requires, in its terms.")
    disabled_reason: str | None
    destination_last4: str | None = Field(description="The last digits of the bank account.")
    destination_currency: str | None = Field(
        description="The currency that is paid out by schedule, or when a request for a payout names none."
    )
    destination_changed_at: datetime | None
    held_until: datetime | None = Field(
        description="No payout is sent before this time, because the bank account is new or was changed."
    )

    @classmethod
    def of(cls, account: CreatorAccount, hold: timedelta) -> Self:
        """Show an account; `hold` is the waiting time after a change of destination."""
        return cls.from_row(
            account,
            account_id=account.ref,
            requirements=list(account.requirements_due),
            held_until=account.held_until(hold),
        )


class ConnectView(ResponseModel):
    """The account, and the provider's page where its owner completes the onboarding."""

    account: CreatorAccountView
    onboarding_url: str = Field(description="The address of the page. It can be opened once.")
    expires_at: datetime

    @classmethod
    def of(cls, account: CreatorAccount, link: OnboardingLink, hold: timedelta) -> Self:
        """Show both; `hold` is the waiting time after a change of destination."""
        return cls(account=CreatorAccountView.of(account, hold), onboarding_url=link.url, expires_at=link.expires_at)
