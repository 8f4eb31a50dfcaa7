"""Every setting of the product, read from the environment once, by the composition roots only."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.accounting import codes_from
from domain.action_cost import Cost, defaults
from domain.credits import credit_price
from domain.document.content import Party
from domain.errors import Invalid
from domain.invoice.dunning import DAYS, check_days
from domain.invoice.rules import InvoiceRules
from domain.invoice.series import DocumentType, series_of
from domain.mail import GIVE_UP_AFTER, checked_address
from domain.metering.price_map import default_price
from domain.money import CREDIT, format_amount, parse_amount, parse_ratio
from domain.payable import HoldBack
from domain.payment.livemode import paypal_is_live, stripe_is_live
from domain.payment.rules import PaymentRules
from domain.plan import DEFAULTS, FREE, MAX_LIMIT, PREMIUM, OlderTerms, Plans, plans_from, with_older
from domain.project import SlotPrice, slot_price
from domain.reputation.policy import CHARGEBACK_DAYS, EvidencePolicy
from domain.revenue_share import ALL_BPS, CREATOR_BPS, share_bps
from domain.tax.sale import SaleRules
from domain.topup import Package, packages_from, priced
from runtime.environment import WrongEnvironment, older_settings, temporal_settings

PREFIX = "BURSAR_"
#: Names with the prefix that others read: the embedded stack, and this repository's tests and benchmarks.
OF_THE_STACK = frozenset(
    {
        *("BURSAR_BACKUP_DIR", "BURSAR_DATA_DIR", "BURSAR_POSTGRES_BIN"),
        *("BURSAR_TEMPORAL_PORT", "BURSAR_TEMPORAL_UI_PORT"),
        *(
            "BURSAR_STRIPE_SANDBOX_PORT",
            "BURSAR_PAYPAL_SANDBOX_PORT",
            "BURSAR_CHAINS_SANDBOX_PORT",
            "BURSAR_LITELLM_SANDBOX_PORT",
            "BURSAR_MAIL_SANDBOX_PORT",
            "BURSAR_MAIL_SANDBOX_SMTP_PORT",
            "BURSAR_VIES_SANDBOX_PORT",
        ),
    }
)
OF_TESTS = (
    "BURSAR_TEST_",
    "BURSAR_RECORD",
    "BURSAR_WRITE_",
    "BURSAR_BENCH_",
    "BURSAR_FAULTS_",
    "BURSAR_PAYPAL_OPENAPI",
)


#: How TLS is spoken to PostgreSQL, by the names of libpq.
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})

#: Bounds of the rate at which evidence fades; below them a score forgets a job within days, above it in years.
LEAST_RATE_E4, MOST_RATE_E4 = 5_000, 9_950


class WrongSettings(Exception):
    """Settings that cannot be right. Each line names one and what to do, and holds no secret."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Take the lines."""
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Settings(BaseSettings):
    """Settings of the worker and the web process. Each is read from `BURSAR_<NAME>`; docs/settings.md lists them.

    Durations are ISO 8601 (`P3D`, `PT10M`). Secrets never appear in a representation or a log; neither do addresses
    that may hold a password or a key.
    """

    # A setting that cannot be read ends the process with a message that would quote all of them, secrets too.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    secrets_dir: Path | None = None

    database_url: str = Field(default="postgresql://bursar_api@127.0.0.1:5432/bursar", repr=False)
    platform_database_url: str = Field(default="postgresql://bursar_platform@127.0.0.1:5432/bursar", repr=False)
    migration_database_url: str = Field(default="postgresql://postgres@127.0.0.1:5432/bursar", repr=False)
    database_pool_size: int = Field(default=10, ge=1, le=200)
    #: Revenue books what was posted a minute ago, so no statement may take longer than that.
    database_timeout: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1), lt=timedelta(minutes=1))

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_tls: bool = False
    temporal_api_key: SecretStr | None = None
    temporal_ui_url: str = "http://127.0.0.1:8233"
    encryption_keys: SecretStr | None = None
    plain_payloads: Literal["accept"] | None = None
    sealed_signals: bool | None = None
    names_in_temporal: bool | None = None
    build_id: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    private_host: str = "127.0.0.1"
    private_port: int = Field(default=8005, ge=0, le=65535)
    trusted_proxies: str | None = None
    limit_concurrency: int = Field(default=1000, ge=1)
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=8001, ge=0, le=65535)
    rate_limit: str = "6000/minute"
    organization_rate_limit: str = "12000/minute"
    rate_limit_storage: str = Field(default="async+memory://", repr=False)
    api_keys_per_organization: int = Field(default=100, ge=2)
    command_timeout: timedelta = timedelta(seconds=20)
    idempotency_lease: timedelta = timedelta(seconds=5)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    otlp_endpoint: str | None = Field(default=None, repr=False)

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

    usage_late: timedelta = Field(default=timedelta(days=35), ge=timedelta(hours=1), le=timedelta(days=400))
    usage_invoice_day: int = Field(default=1, ge=1, le=28)
    dunning_days: str = ",".join(str(day) for day in DAYS)
    litellm_url: str | None = Field(default=None, repr=False)
    litellm_api_key: SecretStr | None = None

    agent_categories: str = "analysis,coding,content,data,design,operations,research,support,translation"
    reputation_registrars: str = "operator"
    trait_key: SecretStr | None = Field(default=None, min_length=16)
    nightly_reputation_update_enabled: bool = True
    reputation_decay_rate: str = "0.95"
    chargeback_window: timedelta = Field(
        default=timedelta(days=CHARGEBACK_DAYS), ge=timedelta(0), le=timedelta(days=400)
    )
    feedback_window: timedelta = Field(default=timedelta(days=30), ge=timedelta(minutes=1), le=timedelta(days=400))

    credit_price: str = "0.10"
    credit_currency: str = "USD"
    credit_packages: str = (
        '[{"name":"small","credits":"100","price":"9.90","currency":"USD"},'
        '{"name":"medium","credits":"500","price":"39.90","currency":"USD"},'
        '{"name":"large","credits":"2000","price":"149.90","currency":"USD"},'
        '{"name":"jumbo","credits":"5000","price":"349.90","currency":"USD"},'
        '{"name":"checkout_small","credits":"50","price":"5.00","currency":"USD"},'
        '{"name":"checkout_medium","credits":"100","price":"10.00","currency":"USD"},'
        '{"name":"checkout_large","credits":"500","price":"50.00","currency":"USD"}]'
    )
    credit_package_small: int | None = None
    credit_package_medium: int | None = None
    credit_package_large: int | None = None
    credits_per_api_call: str = "1"
    credits_per_workflow_execution: str = "10"
    signup_bonus_free: str = "100"
    signup_bonus_premium: str = "100"
    refunded_credits_days: int = Field(default=7, ge=0, le=365)
    earned_credits_days: int = Field(default=30, ge=1, le=3650)
    pay_out_granted_credits: bool = False
    payout_hold_back: timedelta = Field(default=timedelta(days=14), ge=timedelta(0), le=timedelta(days=365))
    payout_hold_back_floor: timedelta = Field(default=timedelta(days=7), ge=timedelta(0), le=timedelta(days=365))
    payout_minimum: str = Field(default="10.00", pattern=r"^[0-9]{1,9}(\.[0-9]{1,8})?$")
    two_operators_above: str | None = Field(default=None, pattern=r"^[0-9]{1,9}(\.[0-9]{1,8})?$")
    default_model_price: str | None = None
    accounting_codes: str = "{}"
    slot_price: str = "10.00"
    slot_currency: str = "USD"

    tax_country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    credits_taxed_at: Literal["use", "sale"] = "use"
    credit_prices_include_tax: bool = False
    legal_entity: str | None = None
    vat_number: str | None = Field(default=None, pattern="^[A-Z]{2}[0-9A-Z+*]{2,12}$")
    vies_url: str = "https://ec.europa.eu/taxation_customs/vies/rest-api"
    additional_deploy_price: int | None = None
    plans: str = DEFAULTS
    stripe_premium_price_id: str | None = None
    premium_subscription_price: int | None = None
    free_max_projects: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    free_max_deploys: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    premium_max_projects: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    premium_max_deploys: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    limit_seats: bool = False
    creator_revenue_share: str | None = None
    platform_revenue_share: str | None = None
    purchase_refund_days: int = Field(default=14, ge=0, le=365)
    payment_return_url: str | None = None
    payment_expiry: timedelta = Field(default=timedelta(hours=23), ge=timedelta(minutes=31), le=timedelta(hours=24))
    first_poll: timedelta = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    longest_poll: timedelta = Field(default=timedelta(hours=1), ge=timedelta(seconds=1))
    chain_poll: timedelta = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1))
    payment_open: timedelta = timedelta(days=30)
    provider_timeout: timedelta = Field(default=timedelta(seconds=8), ge=timedelta(seconds=1))

    mail_host: str | None = None
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_username: str | None = None
    mail_password: SecretStr | None = None
    mail_sender: str | None = None
    mail_sender_name: str = Field(default="Bursar", min_length=1, max_length=100)
    mail_give_up_after: timedelta = Field(default=GIVE_UP_AFTER, ge=timedelta(minutes=10), le=timedelta(days=14))

    seller_name: str | None = None
    seller_line1: str | None = None
    seller_line2: str | None = None
    seller_postcode: str | None = None
    seller_city: str | None = None
    seller_country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    seller_vat_id: str | None = None
    seller_tax_number: str | None = None
    seller_registration: str | None = None
    seller_email: str | None = None
    document_templates: Path | None = None

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
    esplora_url: str | None = Field(default=None, repr=False)
    evm_rpc_url: str | None = Field(default=None, repr=False)
    evm_usdc_contract: str | None = None
    evm_chain_id: int = Field(default=1, ge=1)
    ton_api_url: str | None = Field(default=None, repr=False)
    ton_api_key: SecretStr | None = None
    btc_confirmations: int = Field(default=3, ge=1)
    evm_confirmations: int = Field(default=12, ge=1)
    ton_confirmations: int = Field(default=1, ge=1)
    rates_url: str | None = Field(default=None, repr=False)
    quote_validity: timedelta = Field(default=timedelta(hours=1), ge=timedelta(minutes=1))

    #: What Temporal's own environment says of the connection beside address, namespace and key; not shown, not dumped.
    _temporal_options: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def reputation_rate_e4(self) -> int:
        """What a night leaves of evidence, in ten-thousandths."""
        rate_e4 = parse_ratio(self.reputation_decay_rate, "reputation_decay_rate")
        if not LEAST_RATE_E4 <= rate_e4 <= MOST_RATE_E4:
            raise Invalid("reputation_decay_rate must be between 0.5 and 0.995.")
        return rate_e4

    @property
    def trait_digest_key(self) -> bytes | None:
        """What digests of payment methods and tax ids are keyed with; None keeps none of them."""
        return None if self.trait_key is None else self.trait_key.get_secret_value().encode()

    @property
    def evidence_policy(self) -> EvidencePolicy:
        """Who may count as evidence, and when it may better terms."""
        names = (name.strip() for name in self.reputation_registrars.split(","))
        return EvidencePolicy(
            registrars=tuple(name for name in names if name), chargeback_days=self.chargeback_window.days
        )

    @property
    def account_codes(self) -> dict[str, str]:
        """What lines of the chart of accounts are called in the program that journals are imported into."""
        return codes_from(self.accounting_codes)

    @property
    def categories(self) -> tuple[str, ...]:
        """What agents can be listed under."""
        return tuple(name.strip() for name in self.agent_categories.split(",") if name.strip())

    @property
    def temporal_options(self) -> dict[str, Any]:
        """How the connection to Temporal is made, beside its address: whether in TLS, by which roots and names."""
        options = self._temporal_options
        return {**options, "tls": options.get("tls", True) if self.temporal_tls else False}

    @property
    def dunned_on(self) -> tuple[int, ...]:
        """When invoices are dunned, in days after the first charge or the due date."""
        return check_days([int(day) for day in self.dunning_days.split(",")])

    @property
    def hold_back(self) -> HoldBack:
        """How long earnings are held back before they can be paid out."""
        return HoldBack(usual=self.payout_hold_back, floor=self.payout_hold_back_floor)

    @property
    def invoice_rules(self) -> InvoiceRules:
        """Where the seller is, whose series invoices are numbered in, and what credits pay of them."""
        credit = credit_price(self.credit_price, self.credit_currency)
        return InvoiceRules(
            seller_country=self.tax_country,
            entity=self.legal_entity,
            credit=credit,
            credit_includes_tax=self.credit_prices_include_tax,
        )

    @property
    def sale_rules(self) -> SaleRules | None:
        """How credits are taxed when they are sold; None where they are taxed when they are used."""
        if self.credits_taxed_at == "use":
            return None
        return SaleRules(seller_country=self.tax_country, includes_tax=self.credit_prices_include_tax)

    @property
    def signals_are_sealed(self) -> bool:
        """Whether a command that reaches a run unsealed is refused."""
        return self._has_keys if self.sealed_signals is None else self.sealed_signals

    @property
    def names_are_shown(self) -> bool:
        """Whether runs carry names, and show what people wrote, in the Temporal UI."""
        return self._has_keys if self.names_in_temporal is None else self.names_in_temporal

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that credits are sold in, at their prices."""
        prices = {
            "checkout_small": self.credit_package_small,
            "checkout_medium": self.credit_package_medium,
            "checkout_large": self.credit_package_large,
        }
        return priced(packages_from(self.credit_packages), prices)

    @cached_property
    def plan_book(self) -> Plans:
        """What organizations can subscribe to; read once, a file is not looked at again."""
        text = self.plans.strip()
        if not text.startswith("["):
            try:
                text = Path(text).read_text(encoding="utf-8")
            except (OSError, ValueError):
                raise Invalid("It is neither a JSON list nor the path of a file with one.") from None
        older = OlderTerms(
            premium_price_minor=self.premium_subscription_price,
            premium_price_id=self.stripe_premium_price_id,
            free_projects=self.free_max_projects,
            free_deployments=self.free_max_deploys,
            premium_projects=self.premium_max_projects,
            premium_deployments=self.premium_max_deploys,
        )
        return with_older(plans_from(text), older)

    @property
    def price_of_slots(self) -> SlotPrice:
        """What one slot for deployments costs."""
        price = slot_price(self.slot_price, self.slot_currency)
        if self.additional_deploy_price is None:
            return price
        return slot_price(format_amount(self.additional_deploy_price, price.currency), price.currency)

    @property
    def creator_share_bps(self) -> int:
        """What a creator has of a sale on the marketplace, in basis points; the rest is the platform's."""
        creator, platform = (
            None if share is None else share_bps(share, name)
            for share, name in (
                (self.creator_revenue_share, "creator_revenue_share"),
                (self.platform_revenue_share, "platform_revenue_share"),
            )
        )
        if creator is not None and platform is not None and creator + platform != ALL_BPS:
            raise Invalid("The shares of creators and of the platform must add up to all of a sale.")
        if creator is None:
            creator = CREATOR_BPS if platform is None else ALL_BPS - platform
        return creator

    @property
    def default_costs(self) -> dict[str, Cost]:
        """What actions cost unless an operator set another price."""
        return defaults(
            {"api_call": self.credits_per_api_call, "workflow_execution": self.credits_per_workflow_execution}
        )

    @property
    def payment_rules(self) -> PaymentRules:
        """How payments are taken."""
        return PaymentRules(
            credit=credit_price(self.credit_price, self.credit_currency),
            slot=self.price_of_slots,
            quote_validity=self.quote_validity,
            expiry=self.payment_expiry,
            return_url=self.payment_return_url,
            first_poll=self.first_poll,
            longest_poll=self.longest_poll,
            chain_poll=self.chain_poll,
            open=self.payment_open,
        )

    def signup_bonus_minor(self, tier: str) -> int:
        """Return how many credits a new organization is granted: one on the free plan, and one on any other."""
        bonus = self.signup_bonus_free if tier == FREE else self.signup_bonus_premium
        return parse_amount(bonus, CREDIT, zero=True)

    @property
    def seller(self) -> Party | None:
        """Who sells, as documents say it; None where nobody said so."""
        if self.seller_name is None:
            return None
        return Party(
            name=self.seller_name,
            line1=self.seller_line1,
            line2=self.seller_line2,
            postcode=self.seller_postcode,
            city=self.seller_city,
            country=self.seller_country or self.tax_country,
            vat_id=self.seller_vat_id,
            tax_number=self.seller_tax_number,
            registration=self.seller_registration,
            email=self.seller_email,
        )

    @property
    def _has_keys(self) -> bool:
        return self.encryption_keys is not None and bool(self.encryption_keys.get_secret_value().strip())

    @property
    def _stripe_is_live(self) -> bool:
        return self.stripe_api_key is not None and stripe_is_live(self.stripe_api_key.get_secret_value())

    @property
    def _paypal_is_live(self) -> bool:
        keys = self.paypal_client_id is not None and self.paypal_client_secret is not None
        return keys and paypal_is_live(self.paypal_api_base)

    @model_validator(mode="after")
    def _sealing_takes_keys(self) -> "Settings":
        """Refuse to ask for seals that nobody can make."""
        if self.sealed_signals and not self._has_keys:
            raise ValueError("BURSAR_SEALED_SIGNALS=true needs BURSAR_ENCRYPTION_KEYS to seal with.")
        return self

    @field_validator("document_templates")
    @classmethod
    def _templates_are_there(cls, folder: Path | None) -> Path | None:
        """Refuse a folder of templates that has none when the process starts, and not at the first document."""
        if folder is not None and not (folder / "document.typ").is_file():
            raise ValueError("The folder has no file document.typ.")
        return folder

    @field_validator("dunning_days")
    @classmethod
    def _days_rise(cls, value: str) -> str:
        """Refuse days that are none, or in another order than they come in."""
        try:
            check_days([int(day) for day in value.split(",")])
        except ValueError:
            raise ValueError("BURSAR_DUNNING_DAYS are up to 20 rising days from 1 to 365, such as 3,7,14,21.") from None
        return value

    @field_validator("mail_sender")
    @classmethod
    def _mail_has_a_sender(cls, value: str | None) -> str | None:
        """Refuse a sender that is no address."""
        try:
            return None if value is None else checked_address(value)
        except Invalid as error:
            raise ValueError(error.detail) from None

    @field_validator("mail_sender_name")
    @classmethod
    def _sender_is_one_line(cls, value: str) -> str:
        """Refuse a name that would end its header."""
        if not value.isprintable():
            raise ValueError("BURSAR_MAIL_SENDER_NAME must be one line of visible characters.")
        return value

    @model_validator(mode="after")
    def _mail_is_whole_and_private(self) -> "Settings":
        """Refuse half of a mail server, and a password that would cross a network in clear."""
        if (self.mail_host is None) != (self.mail_sender is None):
            raise ValueError("BURSAR_MAIL_HOST and BURSAR_MAIL_SENDER go together: set both or neither.")
        if (self.mail_username is None) != (self.mail_password is None):
            raise ValueError("BURSAR_MAIL_USERNAME and BURSAR_MAIL_PASSWORD go together: set both or neither.")
        if self.mail_tls == "none" and self.mail_password is not None:
            raise ValueError("BURSAR_MAIL_PASSWORD is not sent in clear: set BURSAR_MAIL_TLS to starttls or tls.")
        return self

    @model_validator(mode="after")
    def _sales_are_taxed_somewhere(self) -> "Settings":
        """Refuse to tax sales without saying where the seller is."""
        if self.credits_taxed_at == "sale" and self.tax_country is None:
            raise ValueError("BURSAR_CREDITS_TAXED_AT=sale needs BURSAR_TAX_COUNTRY, the seller's country.")
        return self

    @model_validator(mode="after")
    def _stripe_keys_stay_secret(self) -> "Settings":
        """Refuse a secret key where a publishable one belongs, and one that moves real money over plain HTTP."""
        published = self.stripe_publishable_key
        if published is not None and not published.startswith("pk_"):
            raise ValueError("BURSAR_STRIPE_PUBLISHABLE_KEY is public: it must be a key that begins with pk_.")
        if (
            self._stripe_is_live
            and self.stripe_api_base is not None
            and not self.stripe_api_base.startswith("https://")
        ):
            raise ValueError("A live Stripe key must be sent over HTTPS: change BURSAR_STRIPE_API_BASE.")
        return self

    @model_validator(mode="after")
    def _real_payments_are_sealed(self) -> "Settings":
        """Refuse to put what people write about real money into Temporal in clear, unless that is said by name."""
        live = {"BURSAR_STRIPE_API_KEY": self._stripe_is_live, "BURSAR_PAYPAL_CLIENT_ID": self._paypal_is_live}
        named = " and ".join(name for name, is_live in live.items() if is_live)
        if named and not self._has_keys and self.plain_payloads is None:
            raise ValueError(
                f"{named} moves real money, and free text would be stored in Temporal unencrypted: set "
                "BURSAR_ENCRYPTION_KEYS, or BURSAR_PLAIN_PAYLOADS=accept."
            )
        return self

    @field_validator("database_url", "platform_database_url", "migration_database_url")
    @classmethod
    def _is_of_postgresql(cls, url: str) -> str:
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("It must be a PostgreSQL URL such as postgresql://user:password@host:5432/name.")
        asked = parse_qs(urlsplit(url).query)
        if not set(asked.get("sslmode", [])) <= SSL_MODES:
            raise ValueError("Its sslmode must be disable, allow, prefer, require, verify-ca or verify-full.")
        if not all(Path(root).is_file() for root in asked.get("sslrootcert", [])):
            raise ValueError(
                "Its sslrootcert does not exist: set the path of a PEM file with the certificates to trust."
            )
        return url

    @field_validator(
        "credit_package_small",
        "credit_package_medium",
        "credit_package_large",
        "premium_subscription_price",
        "additional_deploy_price",
        mode="before",
    )
    @classmethod
    def _is_in_minor_units(cls, price: object) -> object:
        # Pydantic would take 5.00 for five cents.
        if isinstance(price, str) and not price.isdecimal():
            raise ValueError("It must be a whole number of the currency's minor unit: 500 for 5.00 USD.")
        return price

    @field_validator("encryption_keys")
    @classmethod
    def _seals(cls, keys: SecretStr | None) -> SecretStr | None:
        # Imported where it is used: most processes that read settings neither seal nor limit.
        from runtime.codec import encryption_codec

        encryption_codec(keys)
        return keys

    @field_validator("rate_limit", "organization_rate_limit")
    @classmethod
    def _is_a_limit(cls, limit: str) -> str:
        from limits import parse

        parse(limit)
        return limit

    @field_validator("rate_limit_storage")
    @classmethod
    def _is_an_async_store(cls, uri: str) -> str:
        if not uri.startswith("async+"):
            raise ValueError("It must begin with async+, such as async+memory:// or async+redis://host:6379.")
        return uri

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
        """Refuse prices that no sale could be made at when the process starts, and not at the first sale; and rates."""
        rules: dict[str, Callable[[], object]] = {
            "CREDIT_PRICE and BURSAR_CREDIT_CURRENCY": lambda: credit_price(self.credit_price, self.credit_currency),
            "CREDIT_PACKAGES": lambda: self.packages,
            "CREDITS_PER_API_CALL and BURSAR_CREDITS_PER_WORKFLOW_EXECUTION": lambda: self.default_costs,
            "SIGNUP_BONUS_FREE": lambda: self.signup_bonus_minor(FREE),
            "SIGNUP_BONUS_PREMIUM": lambda: self.signup_bonus_minor(PREMIUM),
            "ACCOUNTING_CODES": lambda: self.account_codes,
            "REPUTATION_DECAY_RATE": lambda: self.reputation_rate_e4,
            "LEGAL_ENTITY": lambda: series_of(DocumentType.INVOICE, self.legal_entity),
            "SLOT_PRICE and BURSAR_SLOT_CURRENCY": lambda: self.price_of_slots,
            "PLANS": lambda: self.plan_book,
            "CREATOR_REVENUE_SHARE and BURSAR_PLATFORM_REVENUE_SHARE": lambda: self.creator_share_bps,
            "DEFAULT_MODEL_PRICE": lambda: (
                default_price(self.default_model_price) if self.default_model_price else None
            ),
        }
        wrong = []
        for names, rule in rules.items():
            try:
                rule()
            except Invalid as error:
                wrong.append(f"{PREFIX}{names}: {error.detail}")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def read_settings(given: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: those that are given, then the environment, then the files of `BURSAR_SECRETS_DIR`.

    Where none of them has a setting, the names that others gave it are read; see `runtime.environment`.

    Raises:
        WrongSettings: one of them cannot be right, or its name begins like a setting's and is none.
    """
    given = given or {}
    names = {f"{PREFIX}{field.upper()}": field for field in Settings.model_fields}
    surroundings = {name: value for name, value in {**os.environ, **given}.items() if value}
    first: dict[str, Any] = {names[name]: value for name, value in given.items() if value and name in names}
    folder = surroundings.get(f"{PREFIX}SECRETS_DIR")
    lines: list[str] = []
    files: list[str] = []
    if folder and not Path(folder).is_dir():
        lines.append(f"{PREFIX}SECRETS_DIR={folder[:100]!r}: It is not a directory.")
    elif folder:
        first["_secrets_dir"] = folder
        files = [path.name for path in Path(folder).iterdir()]
    lines += [_unknown(name, names) for name in sorted([*surroundings, *files]) if _is_unknown(name, names)]
    try:
        settings = _with_others(Settings(**first), first, surroundings)
    except ValidationError as refusal:
        lines += [line for error in refusal.errors(include_url=False) for line in _described(error)]
    except WrongEnvironment as wrong:
        lines.append(str(wrong))
    if lines:
        raise WrongSettings(lines)
    return settings


def _with_others(settings: Settings, first: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    connection, options = temporal_settings(environment)
    missing = {
        field: value
        for field, value in {**older_settings(environment), **connection}.items()
        if field not in settings.model_fields_set
    }
    if missing:
        settings = Settings(**first, **missing)
    settings._temporal_options = options
    return settings


@contextmanager
def ended_by_wrong_settings() -> Iterator[None]:
    """End the process with a line for each setting that is wrong, and not with a traceback."""
    try:
        yield
    except WrongSettings as wrong:
        raise SystemExit("\n".join(f"error: {line}" for line in wrong.lines)) from None


def _is_unknown(name: str, names: Mapping[str, str]) -> bool:
    upper = name.upper()
    if not upper.startswith(PREFIX) or upper.startswith(OF_TESTS):
        return False
    return upper not in names and upper not in OF_THE_STACK


def _unknown(name: str, names: Mapping[str, str]) -> str:
    near = get_close_matches(name.upper(), [*names, *OF_THE_STACK], n=1, cutoff=0.75)
    return f"{name} is not a setting; " + (f"do you mean {near[0]}?" if near else "docs/settings.md lists them all.")


def _described(error: Mapping[str, Any]) -> list[str]:
    """Write an error of pydantic as lines, without a value that may be secret."""
    lines = [" ".join(line.split()) for line in error["msg"].removeprefix("Value error, ").splitlines()]
    if not error["loc"]:
        return lines
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    hidden = not field.repr or "SecretStr" in str(field.annotation)
    value = "" if hidden else f"={str(error['input'])[:100]!r}"
    return [f"{PREFIX}{name.upper()}{value}: {' '.join(lines)}"]
