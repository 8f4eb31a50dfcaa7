"""Settings of payments and their providers."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from domain.common.money import CREDIT, amounts_from, parse_amount
from domain.credits.spend.rate import MAX_VALID_FOR
from domain.payments.payment.livemode import (
    Environment,
    coins_are_test,
    environment_of,
    is_local,
    paypal_is_live,
    stripe_is_live,
)
from runtime.settings.part import AmountsSetting, SettingsPart

#: Where Stripe serves its script, and the release of it that belongs to the API version of the installed SDK.
STRIPE_JS = "https://js.stripe.com"
_STRIPE_JS_PATH = "/endive/stripe.js"


class PaymentSettings(SettingsPart):
    payment_return_url: str | None = None
    payment_expiry: timedelta = Field(default=timedelta(hours=23), ge=timedelta(minutes=31), le=timedelta(hours=24))
    first_poll: timedelta = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    longest_poll: timedelta = Field(default=timedelta(hours=1), ge=timedelta(seconds=1))
    chain_poll: timedelta = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1))
    payment_open: timedelta = timedelta(days=30)
    topup_refund_days: int = Field(default=14, ge=0, le=365)
    topup_refunds: int = Field(default=1, ge=1, le=90)
    refund_fees_paid_by: Literal["payer", "platform"] = "payer"
    fees_alert_above: str = Field(default="0.10", pattern=r"^(0(\.[0-9]{1,4})?|1)$")
    fees_alert_least: AmountsSetting = amounts_from("50.00")
    largest_topup: AmountsSetting = amounts_from("10000.00")
    provider_fee_percent: str = Field(default="2.9", pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$")
    provider_fee_fixed: AmountsSetting = amounts_from("0.30")
    topup_fee_below: AmountsSetting = amounts_from("0")
    provider_timeout: timedelta = Field(default=timedelta(seconds=8), ge=timedelta(seconds=1))

    stripe_api_key: SecretStr | None = None
    stripe_api_base: str | None = None
    stripe_publishable_key: str | None = None
    stripe_elements: bool = False
    stripe_webhook_secrets: SecretStr | None = None
    issuing: str | None = None
    issuing_timeout: timedelta = Field(default=timedelta(seconds=1), gt=timedelta(0), le=timedelta(minutes=1))

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
    reference_rates_url: str | None = Field(default=None, pattern="^https?://", repr=False)
    reference_rates_max_age: timedelta = Field(default=timedelta(days=7), ge=timedelta(days=1), le=MAX_VALID_FOR)
    probe: timedelta | None = Field(default=None, ge=timedelta(minutes=1), le=timedelta(days=1))
    probe_payment: str | None = Field(default=None, pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")
    probe_url: str | None = None
    quote_validity: timedelta = Field(default=timedelta(hours=1), ge=timedelta(minutes=1))

    @property
    def probe_credits_minor(self) -> int | None:
        """How many credits the probe buys by a card for tests; None makes no payment."""
        return None if self.probe_payment is None else parse_amount(self.probe_payment, CREDIT)

    @property
    def _stripe_is_live(self) -> bool:
        return self.stripe_api_key is not None and stripe_is_live(self.stripe_api_key.get_secret_value())

    @property
    def stripe_js(self) -> str | None:
        """The script of Stripe's own form; a sandbox on this machine serves a stand-in. None shows no such form."""
        if not self.stripe_elements:
            return None
        base = self.stripe_api_base
        own = base is not None and is_local(base)
        return f"{str(base).rstrip('/') if own else STRIPE_JS}{_STRIPE_JS_PATH}"

    @property
    def _paypal_is_live(self) -> bool:
        keys = self.paypal_client_id is not None and self.paypal_client_secret is not None
        return keys and paypal_is_live(self.paypal_api_base)

    @property
    def _coins(self) -> dict[str, str | None]:
        nodes = {"btc": self.esplora_url, "evm": self.evm_rpc_url, "ton": self.ton_api_url}
        takers = {"btc": self.btc_xpub, "evm": self.eth_xpub, "ton": self.ton_address}
        return {coin: nodes[coin] for coin, taker in takers.items() if taker}

    @property
    def _live_coins(self) -> list[str]:
        """The settings by which coins of real networks are taken; a node on this machine is a stand-in."""
        by_setting = {
            "BURSAR_BTC_XPUB": ("btc", coins_are_test(btc=self.btc_xpub, evm_chain_id=None, ton=None)),
            "BURSAR_ETH_XPUB": ("evm", coins_are_test(btc=None, evm_chain_id=self.evm_chain_id, ton=None)),
            "BURSAR_TON_ADDRESS": ("ton", coins_are_test(btc=None, evm_chain_id=None, ton=self.ton_address)),
        }
        nodes = self._coins
        return [
            name
            for name, (coin, is_test) in by_setting.items()
            if coin in nodes and not is_local(nodes[coin]) and not is_test
        ]

    @property
    def _is_live(self) -> bool:
        """Whether a provider that is no stand-in moves real money."""
        return self._stripe_is_live or self._paypal_is_live or bool(self._live_coins)

    @property
    def environment(self) -> Environment:
        """What money this installation moves, by its keys and by where its providers are."""
        addresses = list(self._coins.values())
        addresses += [self.stripe_api_base] if self.stripe_api_key is not None else []
        addresses += [self.paypal_api_base] if self.paypal_client_id is not None else []
        return environment_of(addresses, is_live=self._is_live)

    @model_validator(mode="after")
    def _reference_rates_are_read_from_their_source(self) -> Self:
        """Refuse rates that could be changed on their way, and spends be counted as less than they are."""
        url = self.reference_rates_url
        if url is not None and not url.startswith("https://") and not is_local(url):
            raise ValueError("BURSAR_REFERENCE_RATES_URL must begin with https://, unless it is on this machine.")
        return self

    @model_validator(mode="after")
    def _probe_pays_nothing_real(self) -> Self:
        if self.probe_url is not None and self.probe is None:
            raise ValueError("BURSAR_PROBE_URL is where the probe asks: set BURSAR_PROBE as well.")
        if self.probe_payment is None:
            return self
        if self.probe is None:
            raise ValueError("BURSAR_PROBE_PAYMENT is a step of the probe: set BURSAR_PROBE as well.")
        if self._stripe_is_live or self._paypal_is_live:
            raise ValueError(
                "BURSAR_PROBE_PAYMENT pays by a card for tests, and there is a live key of Stripe or PayPal: unset it."
            )
        return self

    @model_validator(mode="after")
    def _stripe_keys_stay_secret(self) -> Self:
        """Refuse a secret key where a publishable one belongs, and one that moves real money over plain HTTP."""
        published = self.stripe_publishable_key
        if published is not None and not published.startswith("pk_"):
            raise ValueError("BURSAR_STRIPE_PUBLISHABLE_KEY is public: it must be a key that begins with pk_.")
        if published is not None and self.stripe_api_key is not None:
            modes = (self._stripe_is_live, stripe_is_live(published))
            secret_is, published_is = ("live" if live else "test" for live in modes)
            if secret_is != published_is:
                raise ValueError(
                    f"BURSAR_STRIPE_API_KEY is a {secret_is} key and BURSAR_STRIPE_PUBLISHABLE_KEY a {published_is} "
                    "key: both must be of one mode."
                )
        if self.stripe_elements and (published is None or self.stripe_api_key is None):
            raise ValueError(
                "BURSAR_STRIPE_ELEMENTS shows Stripe's form, which needs BURSAR_STRIPE_API_KEY and "
                "BURSAR_STRIPE_PUBLISHABLE_KEY."
            )
        if (
            self._stripe_is_live
            and self.stripe_api_base is not None
            and not self.stripe_api_base.startswith("https://")
        ):
            raise ValueError("A live Stripe key must be sent over HTTPS: change BURSAR_STRIPE_API_BASE.")
        return self
