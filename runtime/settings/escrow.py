"""Settings of contracts, their escrows, reputation, and decisions against fraud."""

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from domain.common.errors import Invalid
from domain.common.money import amounts_from, parse_ratio
from domain.reputation.policy import CHARGEBACK_DAYS
from runtime.settings.part import AmountsSetting, SettingsPart

#: Bounds of the decay rate: below, work stops counting within days; above, only after years.
LEAST_RATE_E4, MOST_RATE_E4 = 5_000, 9_950


class EscrowSettings(SettingsPart):
    commission_bps: int = Field(default=500, ge=0, le=10_000)
    platform_discount_bps: int | None = Field(default=None, ge=0, le=10_000)
    fund_within: timedelta = timedelta(days=3)
    deliver_within: timedelta = timedelta(days=7)
    review_period: timedelta = timedelta(days=3)
    evidence_period: timedelta = timedelta(days=3)
    decision_period: timedelta = timedelta(days=4)
    default_grace: timedelta = timedelta(days=1)
    dispute_default_payee_share: str = "0.50"
    accept_within: timedelta = Field(default=timedelta(days=3), ge=timedelta(seconds=1))
    open_within: timedelta = Field(default=timedelta(days=7), ge=timedelta(seconds=1))
    min_fund_within: timedelta = timedelta(minutes=5)
    max_fund_within: timedelta = timedelta(days=14)
    min_deliver_within: timedelta = timedelta(minutes=5)
    min_review_period: timedelta = timedelta(minutes=5)
    min_evidence_period: timedelta = timedelta(days=1)
    min_decision_period: timedelta = timedelta(days=1)
    min_default_grace: timedelta = timedelta(hours=1)
    min_dispute_default_payee_share: str = "0.10"
    max_dispute_default_payee_share: str = "0.90"

    longest_pause: timedelta = Field(default=timedelta(days=30), ge=timedelta(0), le=timedelta(days=180))

    agent_categories: str = "analysis,coding,content,data,design,operations,research,support,translation"
    reputation_registrars: str = "operator"
    trait_key: SecretStr | None = Field(default=None, min_length=16)
    risk_key: SecretStr | None = Field(default=None, min_length=16)
    risk_enforced: bool = True
    risk_review_above: AmountsSetting = amounts_from("500.00")
    nightly_reputation_update_enabled: bool = True
    reputation_decay_rate: str = "0.95"
    chargeback_window: timedelta = Field(
        default=timedelta(days=CHARGEBACK_DAYS), ge=timedelta(0), le=timedelta(days=400)
    )
    feedback_window: timedelta = Field(default=timedelta(days=30), ge=timedelta(minutes=1), le=timedelta(days=400))

    @property
    def reputation_rate_e4(self) -> int:
        """Return the share of evidence left after a night, in ten-thousandths."""
        rate_e4 = parse_ratio(self.reputation_decay_rate, "reputation_decay_rate")
        if not LEAST_RATE_E4 <= rate_e4 <= MOST_RATE_E4:
            raise Invalid("reputation_decay_rate must be between 0.5 and 0.995.")
        return rate_e4

    @property
    def trait_digest_key(self) -> bytes | None:
        """Return the key of digests of payment methods and tax ids; without it none are stored."""
        return None if self.trait_key is None else self.trait_key.get_secret_value().encode()

    @property
    def risk_hash_key(self) -> bytes | None:
        """Return the key of the HMAC of addresses, devices and instruments; without it none are counted."""
        return None if self.risk_key is None else self.risk_key.get_secret_value().encode()

    @property
    def categories(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.agent_categories.split(",") if name.strip())

    @model_validator(mode="after")
    def _defaults_are_within_the_floors(self) -> Self:
        """Refuse default terms outside of the allowed bounds."""
        periods = (
            "fund_within",
            "deliver_within",
            "review_period",
            "evidence_period",
            "decision_period",
            "default_grace",
        )
        for name in periods:
            if getattr(self, name) < getattr(self, f"min_{name}"):
                raise ValueError(f"BURSAR_{name.upper()} is shorter than BURSAR_MIN_{name.upper()}.")
        if self.fund_within > self.max_fund_within:
            raise ValueError("BURSAR_FUND_WITHIN is longer than BURSAR_MAX_FUND_WITHIN.")
        share = "dispute_default_payee_share"
        try:
            least, given, most = (
                parse_ratio(getattr(self, f"{bound}{share}"), share) for bound in ("min_", "", "max_")
            )
        except Invalid as error:
            raise ValueError(f"BURSAR_{share.upper()}: {error.detail}") from None
        if not least <= given <= most:
            bounds = f"BURSAR_MIN_{share.upper()} and BURSAR_MAX_{share.upper()}"
            raise ValueError(f"BURSAR_{share.upper()} is not between {bounds}.")
        return self
