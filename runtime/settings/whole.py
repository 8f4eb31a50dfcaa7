"""All settings of the product."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from pydantic import SecretStr, model_validator

from domain.billing.invoice.rules import InvoiceRules
from domain.billing.invoice.series import DocumentType, series_of
from domain.billing.plan import FREE, PREMIUM
from domain.budgets.purchase_rules import PurchaseRules
from domain.cards.card import issues_to
from domain.common.errors import Invalid
from domain.marketplace.use import UseTerms
from domain.messages.slack import HOOK_PREFIX
from domain.payments.payment.livemode import Environment, is_local
from domain.payments.payment.rules import PaymentRules
from domain.payments.sale_margin import PayeeRates, ProviderFee, SaleMargin, margin, sales_of
from domain.reputation.policy import EvidencePolicy
from domain.risk.settings import RiskSettings
from domain.tenants.api_key import KeyRules
from domain.tenants.session import CONSOLE
from domain.usage.arrears import ArrearsRules
from domain.usage.charge import CostRules
from domain.usage.price_map import default_price
from runtime.settings.billing import BillingSettings
from runtime.settings.console import ConsoleSettings
from runtime.settings.escrow import EscrowSettings
from runtime.settings.part import PREFIX
from runtime.settings.payments import PaymentSettings
from runtime.settings.process import ProcessSettings
from runtime.settings.sales import SalesSettings
from runtime.settings.secrets import SecretSettings

_STRANGERS = (
    "organizations that pay with the same card, bank account or PayPal account are taken for strangers, and can earn "
    "reputation, volume and referral rewards from one another. Set it to a secret of 16 characters or more."
)


class Settings(
    PaymentSettings, BillingSettings, SalesSettings, EscrowSettings, SecretSettings, ConsoleSettings, ProcessSettings
):
    """Settings of the worker and the web process, read from `BURSAR_<NAME>`; docs/reference/settings.md lists them.

    Durations are ISO 8601 (`P3D`, `PT10M`). Secrets, and addresses that may contain a password or a key, never appear
    in a representation or a log.
    """

    @property
    def sealing_keys(self) -> SecretStr | None:
        return self.secret_keys or self.encryption_keys

    @property
    def invoice_rules(self) -> InvoiceRules:
        """Return the rules of invoices: the seller's country, the number series, and payment with credits."""
        return InvoiceRules(
            seller_country=self.tax_country,
            entity=self.legal_entity,
            others={code: each.tax_country for code, each in self.entities.others.items()},
            granted=self.value_of_granted,
            cost_markup_e6=self.cost_markup_e6,
            needs_answer=self.tax_service_url is not None,
        )

    @property
    def key_rules(self) -> KeyRules:
        return KeyRules(quota=self.api_keys_per_organization, plans=self.plan_book if self.limit_seats else None)

    @property
    def arrears_rules(self) -> ArrearsRules:
        return ArrearsRules(unpaid_limit=self.unpaid_usage_limit, markup_e6=self.cost_markup_e6)

    @property
    def cost_rules(self) -> CostRules:
        """Return the rules for charging costs in money to credits."""
        return CostRules(
            granted=self.value_of_granted, markup_e6=self.cost_markup_e6, granted_minor=self.granted_for_models
        )

    @property
    def use_terms(self) -> UseTerms:
        """Return the terms of uses of marketplace agents."""
        return UseTerms(
            creator_bps=self.creator_share_bps, exempt=self.evidence_policy.registrars, sharing=self.sharing
        )

    @property
    def evidence_policy(self) -> EvidencePolicy:
        """Return the rules of evidence."""
        names = (name.strip() for name in self.reputation_registrars.split(","))
        return EvidencePolicy(
            registrars=tuple(name for name in names if name),
            chargeback_days=self.chargeback_window.days,
            credit=self.price_of_credits,
            sharing=self.sharing,
        )

    @property
    def revenue_matures(self) -> timedelta:
        """Return the refund period of revenue, during which no decision uses it."""
        return timedelta(days=max(self.purchase_refund_days, self.topup_refund_days))

    @property
    def purchase_rules(self) -> PurchaseRules:
        """Return the rules of purchase orders: holds, and payment by cards."""
        return PurchaseRules(hold=self.purchase_order_hold, margin=Decimal(self.cost_hold_margin), issuing=self.issuing)

    @property
    def payment_rules(self) -> PaymentRules:
        return PaymentRules(
            credit=self.price_of_credits,
            slot=self.price_of_slots,
            quote_validity=self.quote_validity,
            expiry=self.payment_expiry,
            return_url=self.payment_return_url,
            first_poll=self.first_poll,
            longest_poll=self.longest_poll,
            chain_poll=self.chain_poll,
            open=self.payment_open,
            own_refund_days=self.topup_refund_days,
            own_refunds=self.topup_refunds,
            keeps_fees=self.refund_fees_paid_by == "payer",
            largest_top_up=self.largest_topup,
            fee=self.provider_fee,
        )

    @property
    def console_url(self) -> str | None:
        """Return the public URL of the console; None without a console or a public URL."""
        if self.console == "off" or self.public_url is None:
            return None
        return f"{self.public_url.rstrip('/')}{CONSOLE}"

    @property
    def mails_links(self) -> bool:
        """Return whether people can be invited and sign in by mail: with a public URL, a mail server and keys."""
        return self.console_url is not None and self.mail_host is not None and self.signing_keys is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return warnings about optional settings that weaken the installation, to be logged."""
        found = []
        if self.litellm_url is not None and not self.litellm_charges:
            found.append(
                "BURSAR_LITELLM_CHARGES is off: calls of the LiteLLM proxy cost prepaid organizations nothing, unless "
                "an operator charges a meter that reads events of the type llm.call."
            )
        if self.litellm_url is not None and self.litellm_trusts_callers:
            found.append(
                "BURSAR_LITELLM_TRUSTS_CALLERS is on: whoever calls the LiteLLM proxy with a key without an owner can "
                "have any organization pay. Give each key an owner, and unset it."
            )
        if (self.stripe_api_key or self.paypal_client_id) and self.trait_key is None:
            found.append(f"BURSAR_TRAIT_KEY is not set: {_STRANGERS}")
        if (self.stripe_api_key or self.paypal_client_id) and self.risk_key is None:
            found.append(
                "BURSAR_RISK_KEY is not set: decisions against fraud do not count addresses, devices and instruments."
            )
        return tuple(found)

    @property
    def risk_settings(self) -> RiskSettings:
        return RiskSettings(
            key=self.risk_hash_key,
            enforced=self.risk_enforced,
            review_above=self.risk_review_above,
            price=self.price_of_credits,
        )

    @property
    def provider_fee(self) -> ProviderFee:
        """Return the provider's fee of a payment, by its list price."""
        return ProviderFee(
            percent=Decimal(self.provider_fee_percent),
            fixed=self.provider_fee_fixed,
            passed_on_below=self.topup_fee_below,
        )

    @property
    def sale_margins(self) -> tuple[SaleMargin, ...]:
        """Return the margins of all packages and plans."""
        parts = PayeeRates(
            commission_bps=self.commission_bps,
            creator_bps=self.creator_share_bps,
            markup_e6=self.cost_markup_e6,
            list_price=self.sharing.list_price,
        )
        return tuple(margin(sale, self.provider_fee, parts) for sale in sales_of(self.packages, self.plan_book))

    @property
    def price_warnings(self) -> tuple[str, ...]:
        """Return warnings about packages and plans that lose money."""
        losing = [loss for each in self.sale_margins if (loss := each.loss)]
        if not losing:
            return ()
        return (
            f"After the payment provider's fee these sales lose money: {'; '.join(losing)}. Raise their prices, "
            "BURSAR_COMMISSION_BPS or BURSAR_COST_MARKUP, or set BURSAR_TOPUP_FEE_BELOW; `python -m manage economics` "
            "shows what is left of each.",
        )

    @property
    def _live_names(self) -> list[str]:
        """Return the settings of live providers that identify payers."""
        live = {"BURSAR_STRIPE_API_KEY": self._stripe_is_live, "BURSAR_PAYPAL_CLIENT_ID": self._paypal_is_live}
        return [name for name, is_live in live.items() if is_live]

    @model_validator(mode="after")
    def _real_payments_are_sealed(self) -> "Settings":
        """Refuse unencrypted free text about real money in Temporal, unless explicitly accepted."""
        named = " and ".join([*self._live_names, *self._live_coins])
        if named and not self._has_keys and self.plain_payloads is None:
            raise ValueError(
                f"{named} moves real money, and free text would be stored in Temporal unencrypted: set "
                "BURSAR_ENCRYPTION_KEYS, or BURSAR_PLAIN_PAYLOADS=accept."
            )
        return self

    @model_validator(mode="after")
    def _real_payers_are_related(self) -> "Settings":
        """Refuse real money without the detection of related payers."""
        if self._live_names and self.trait_key is None:
            raise ValueError(
                f"{' and '.join(self._live_names)} moves real money, and BURSAR_TRAIT_KEY is not set: {_STRANGERS}"
            )
        return self

    @model_validator(mode="after")
    def _vault_has_keys_beside_it(self) -> "Settings":
        """Refuse Vault without our own keys, which are needed to compare repeated requests with a value."""
        keys = self.sealing_keys
        if "vault" in (self.secret_wrapper, self.secret_backend) and not (keys and keys.get_secret_value().strip()):
            raise ValueError(
                "Vault for secrets needs BURSAR_SECRET_KEYS or BURSAR_ENCRYPTION_KEYS beside it: repeats of requests "
                "with a value are recognised by a digest under these."
            )
        return self

    @model_validator(mode="after")
    def _bounces_are_signed(self) -> "Settings":
        """Refuse unsigned bounce addresses, which anyone could forge."""
        if self.mail_bounces is not None and self.signing_keys is None:
            raise ValueError("BURSAR_MAIL_BOUNCES needs BURSAR_ENCRYPTION_KEYS, which sign the addresses.")
        return self

    @model_validator(mode="after")
    def _seed_login_is_local_only(self) -> "Settings":
        """Refuse sign-in without a key if the page is reachable from outside, or if money is real."""
        if self.console_seed is None:
            return self
        reached_at = (f"//{self.host}", self.public_url or "//localhost")
        if self.environment is not Environment.SANDBOX or not all(map(is_local, reached_at)):
            raise ValueError(
                "BURSAR_CONSOLE_SEED lets whoever opens the console act as others: it is for a process that listens on "
                "127.0.0.1 and whose every provider is a stand-in on this machine. Unset it."
            )
        return self

    @model_validator(mode="after")
    def _real_payments_stay_outside(self) -> "Settings":
        """Refuse webhooks and Slack messages to this machine if money is real."""
        if not self._is_live:
            return self
        if self.slack_url != HOOK_PREFIX:
            raise ValueError("BURSAR_SLACK_URL is a stand-in, and a provider moves real money: unset it.")
        if self.allow_insecure_webhooks:
            raise ValueError(
                "BURSAR_ALLOW_INSECURE_WEBHOOKS lets webhooks reach this machine, and a provider moves real money: "
                "unset it."
            )
        return self

    @model_validator(mode="after")
    def _prices_can_be_read(self) -> "Settings":
        """Refuse invalid prices and rates at start, and not at the first sale."""
        rules: dict[str, Callable[[], object]] = {
            "CREDIT_PRICE and BURSAR_CREDIT_CURRENCY": lambda: self.price_of_credits,
            "CREDIT_PACKAGES": lambda: self.packages,
            "GRANTED_CREDIT_VALUE": lambda: self.check_granted_value(),
            "COST_MARKUP, BURSAR_COST_HOLD_MARGIN and BURSAR_GRANTED_MODEL_COSTS": lambda: self.check_costs(),
            "LITELLM_ACTIONS": lambda: self.paying_actions,
            "CREDITS_PER_API_CALL and BURSAR_CREDITS_PER_WORKFLOW_EXECUTION": lambda: self.default_costs,
            "SIGNUP_BONUS_FREE": lambda: self.signup_bonus_minor(FREE),
            "SIGNUP_BONUS_PREMIUM": lambda: self.signup_bonus_minor(PREMIUM),
            "REFERRAL_BONUS_REFERRER and BURSAR_REFERRAL_BONUS_REFERRED": lambda: self.referral_rewards,
            "ACCOUNTING_CODES": lambda: self.account_codes,
            "REPUTATION_DECAY_RATE": lambda: self.reputation_rate_e4,
            "LEGAL_ENTITY": lambda: series_of(DocumentType.INVOICE, self.legal_entity),
            "LEGAL_ENTITIES": lambda: self.entities,
            "SLOT_PRICE and BURSAR_SLOT_CURRENCY": lambda: self.price_of_slots,
            "ISSUING": lambda: issues_to(self.issuing, ""),
            "PROBE_PAYMENT": lambda: self.probe_credits_minor,
            "PLANS": lambda: self.listed_plans,
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
