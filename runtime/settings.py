"""Every setting of the product, read from the environment once, by the composition roots only."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.credits import credit_price, packages_from
from domain.deployment import slot_price
from domain.errors import Invalid
from domain.money import parse_ratio


class Settings(BaseSettings):
    """Settings of the worker and the web process. Each is read from `BURSAR_<NAME>`; docs/settings.md lists them.

    Durations are ISO 8601 (`P3D`, `PT10M`). Secrets never appear in a representation or a log.
    """

    # A setting that cannot be read ends the process with a message that would quote all of them, secrets too.
    model_config = SettingsConfigDict(
        env_prefix="BURSAR_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    database_url: str = "postgresql://bursar_api@127.0.0.1:5432/bursar"
    platform_database_url: str = "postgresql://bursar_platform@127.0.0.1:5432/bursar"
    migration_database_url: str = "postgresql://postgres@127.0.0.1:5432/bursar"
    database_pool_size: int = Field(default=10, ge=1, le=200)
    database_timeout: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1))

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_tls: bool = False
    temporal_api_key: SecretStr | None = None
    temporal_ui_url: str = "http://127.0.0.1:8233"
    encryption_keys: SecretStr | None = None
    build_id: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    trusted_proxies: str | None = None
    limit_concurrency: int = Field(default=1000, ge=1)
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=8001, ge=0, le=65535)
    rate_limit: str = "6000/minute"
    rate_limit_storage: str = "async+memory://"
    command_timeout: timedelta = timedelta(seconds=20)
    idempotency_lease: timedelta = timedelta(seconds=5)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    otlp_endpoint: str | None = None

    commission_bps: int = Field(default=500, ge=0, le=10_000)
    fund_within: timedelta = timedelta(days=3)
    deliver_within: timedelta = timedelta(days=7)
    review_period: timedelta = timedelta(days=3)
    evidence_period: timedelta = timedelta(days=3)
    decision_period: timedelta = timedelta(days=4)
    default_grace: timedelta = timedelta(days=1)
    dispute_default_payee_share: str = "0.50"
    accept_within: timedelta = Field(default=timedelta(days=3), ge=timedelta(seconds=1))
    min_fund_within: timedelta = timedelta(minutes=5)
    min_deliver_within: timedelta = timedelta(minutes=5)
    min_review_period: timedelta = timedelta(minutes=5)
    min_evidence_period: timedelta = timedelta(days=1)
    min_decision_period: timedelta = timedelta(days=1)
    min_default_grace: timedelta = timedelta(hours=1)
    min_dispute_default_payee_share: str = "0.10"
    max_dispute_default_payee_share: str = "0.90"

    credit_price: str = "0.10"
    credit_currency: str = "USD"
    credit_packages: str = (
        '[{"name":"starter","credits":"100","price":"10.00","currency":"USD"},'
        '{"name":"team","credits":"1000","price":"90.00","currency":"USD"},'
        '{"name":"scale","credits":"10000","price":"800.00","currency":"USD"}]'
    )
    slot_price: str = "5.00"
    slot_currency: str = "USD"
    payment_return_url: str | None = None
    payment_expiry: timedelta = Field(default=timedelta(hours=23), ge=timedelta(minutes=31), le=timedelta(hours=24))
    first_poll: timedelta = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    longest_poll: timedelta = Field(default=timedelta(hours=1), ge=timedelta(seconds=1))
    chain_poll: timedelta = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1))
    payment_open: timedelta = timedelta(days=30)
    provider_timeout: timedelta = Field(default=timedelta(seconds=8), ge=timedelta(seconds=1))

    stripe_api_key: SecretStr | None = None
    stripe_api_base: str | None = None
    stripe_publishable_key: str | None = None
    stripe_webhook_secrets: SecretStr | None = None

    paypal_client_id: str | None = None
    paypal_client_secret: SecretStr | None = None
    paypal_api_base: str = "https://api-m.paypal.com"
    paypal_webhook_id: str | None = None
    paypal_trust_roots: Path | None = None
    paypal_cert_hosts: str = "api.paypal.com,api-m.paypal.com"

    btc_xpub: str | None = None
    eth_xpub: str | None = None
    ton_address: str | None = None
    esplora_url: str | None = None
    evm_rpc_url: str | None = None
    evm_usdc_contract: str | None = None
    evm_chain_id: int = Field(default=1, ge=1)
    ton_api_url: str | None = None
    ton_api_key: SecretStr | None = None
    btc_confirmations: int = Field(default=3, ge=1)
    evm_confirmations: int = Field(default=12, ge=1)
    ton_confirmations: int = Field(default=1, ge=1)
    rates_url: str | None = None
    quote_validity: timedelta = Field(default=timedelta(hours=1), ge=timedelta(minutes=1))

    @model_validator(mode="after")
    def _stripe_keys_stay_secret(self) -> "Settings":
        """Refuse a secret key where everybody is told it, and one that moves real money on its way in clear."""
        published = self.stripe_publishable_key
        if published is not None and not published.startswith("pk_"):
            raise ValueError("BURSAR_STRIPE_PUBLISHABLE_KEY is told to everybody: it takes a key that begins with pk_.")
        live = self.stripe_api_key is not None and "_live_" in self.stripe_api_key.get_secret_value()
        if live and self.stripe_api_base is not None and not self.stripe_api_base.startswith("https://"):
            raise ValueError("A live key of Stripe is sent over HTTPS only: change BURSAR_STRIPE_API_BASE.")
        return self

    @model_validator(mode="after")
    def _defaults_are_within_the_floors(self) -> "Settings":
        """Refuse defaults that every contract which leaves them out would be refused for."""
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

    @model_validator(mode="after")
    def _prices_can_be_read(self) -> "Settings":
        """Refuse prices that no sale could be made at when the process starts, and not at the first sale."""
        try:
            credit_price(self.credit_price, self.credit_currency)
            packages_from(self.credit_packages)
            slot_price(self.slot_price, self.slot_currency)
        except Invalid as error:
            raise ValueError(error.detail) from None
        return self
