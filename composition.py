"""What both processes are made of beside their frameworks: who takes payments, from the settings alone."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import asyncpg
import httpx2
from cryptography import x509

from activities.usage.usage import Metering
from domain.billing.plan import Plans
from domain.payments.payment.livemode import stripe_is_live
from domain.secrets.rotation import RotatorName
from domain.usage.price_map import default_price
from providers.notify.base import Notifier
from providers.notify.mail import SmtpMailer, SmtpServer
from providers.notify.mail_templates import InvalidTemplate, MailTemplates
from providers.payments.base import PaymentProvider, ProviderRefused
from providers.payments.credits import CreditsProvider
from providers.payments.limits import check_recurring
from providers.payments.registry import Providers
from providers.rates import HttpRates, Rates
from providers.reference_rates import EcbFile
from providers.search_index import SearchIndex
from providers.secrets.base import KeyWrapper, SecretBackend
from providers.secrets.registry import SecretBackends
from providers.secrets.rotators.base import Rotator
from providers.tax.base import VatNumbers
from providers.tax.http import HttpTaxService
from providers.tax.service import TaxService
from providers.tax.vies import Vies
from providers.tls import trusted
from providers.usage.litellm import LiteLlm
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.settings import Settings, WrongSettings
from services.credits.spend import refuse_limited
from services.messages.mail_suppression import BounceAddresses, SuppressingNotifier
from services.payments.crypto_deposit import PostgresDepositBook
from services.usage.rating import Rates as UsageRates


def make_providers(settings: Settings, database: Database) -> Providers:
    """Build the adapters whose settings are there; `credits` needs none. A provider is never asked while it is built.

    Raises:
        WrongSettings: a setting of a provider cannot be right, such as a private key where a public one belongs.
    """
    http = httpx2.AsyncClient(
        timeout=settings.provider_timeout.total_seconds(), verify=trusted(), trust_env=False, follow_redirects=False
    )
    credit = CreditsProvider(lambda: _connection(database), refuse_limited=refuse_limited)
    payments: dict[str, PaymentProvider] = {"credits": credit}
    closers: list[Callable[[], Awaitable[None]]] = [http.aclose]
    customers, payouts, subscriptions, cards = None, None, None, None
    if settings.stripe_api_key is not None:
        # Imported where it is used: a process without Stripe starts without its SDK.
        from providers.cards.stripe import StripeIssuing
        from providers.payments.stripe import StripeCustomers, StripeProvider, make_client
        from providers.payouts.stripe import StripeConnect
        from providers.subscriptions.stripe import StripeSubscriptions

        _require_countable(settings.plan_book)
        key = settings.stripe_api_key.get_secret_value()
        client = make_client(
            key, api_base=settings.stripe_api_base, timeout_seconds=int(settings.provider_timeout.total_seconds())
        )
        secrets = _secrets(settings)
        payments["stripe"] = StripeProvider(client, webhook_secrets=secrets, livemode=stripe_is_live(key))
        customers, payouts = StripeCustomers(client), StripeConnect(client)
        subscriptions = StripeSubscriptions(client)
        if settings.issuing:
            cards = StripeIssuing(client, webhook_secrets=secrets)
        closers.append(client.aclose)
    if settings.paypal_client_id is not None and settings.paypal_client_secret is not None:
        payments["paypal"] = _paypal(settings, closers)
    assets: frozenset[str] = frozenset()
    if settings.btc_xpub or settings.eth_xpub or settings.ton_address:
        payments["crypto"], assets = _crypto(settings, database, http)
    return Providers(
        payments=payments,
        customers=customers,
        payouts=payouts,
        subscriptions=subscriptions,
        cards=cards,
        rates=_rates(settings, http),
        reference_rates=_reference_rates(settings, http),
        assets=assets,
        vat_numbers=_vat_numbers(settings, http),
        taxes=_taxes(settings, http),
        closers=closers,
    )


def _require_countable(plans: Plans) -> None:
    """Refuse prices of plans that Stripe cannot charge, before anybody subscribes at one.

    Raises:
        WrongSettings: a price has more decimals than Stripe counts.
    """
    wrong = []
    for plan in plans.all:
        for price in plan.prices:
            try:
                check_recurring(price.amount_minor, price.currency)
            except ProviderRefused as refusal:
                wrong.append(
                    f"BURSAR_PLANS: the price of the plan {plan.name} by the {price.interval}: {refusal.detail}"
                )
    if wrong:
        raise WrongSettings(wrong)


def _vat_numbers(settings: Settings, http: httpx2.AsyncClient) -> VatNumbers | None:
    """Build who confirms VAT numbers; nobody does without the seller's own, by which the register gives references."""
    if settings.vat_number is None:
        return None
    return Vies(http, settings.vies_url, requester=settings.vat_number, timeout=settings.provider_timeout)


def _taxes(settings: Settings, http: httpx2.AsyncClient) -> TaxService | None:
    """Build who decides taxes; without an address the rates that are kept do."""
    if settings.tax_service_url is None:
        return None
    key = settings.tax_service_key
    secret = None if key is None else key.get_secret_value()
    return HttpTaxService(http, settings.tax_service_url, key=secret, timeout=settings.tax_service_timeout)


def spend_log_client(settings: Settings) -> httpx2.AsyncClient:
    """Build the client that asks for spend logs; its caller closes it."""
    timeout = settings.provider_timeout.total_seconds()
    return httpx2.AsyncClient(timeout=timeout, verify=trusted(), trust_env=False, follow_redirects=False)


def search_index_client(settings: Settings) -> httpx2.AsyncClient:
    """Build the client that asks the search index; its caller closes it."""
    timeout = 2 * settings.provider_timeout.total_seconds()
    return httpx2.AsyncClient(timeout=timeout, verify=trusted(), trust_env=False, follow_redirects=False)


def make_search_index(settings: Settings, http: httpx2.AsyncClient) -> SearchIndex | None:
    """Build what events are indexed by; without an address nothing is."""
    if settings.search_index_url is None:
        return None
    key = settings.search_index_authorization
    return SearchIndex(
        http,
        settings.search_index_url,
        name=settings.search_index_name,
        months=settings.search_index_months,
        authorization=None if key is None else key.get_secret_value(),
    )


def make_metering(settings: Settings, http: httpx2.AsyncClient) -> Metering:
    """Build what usage is pulled from and judged by; without an address of a proxy there is no spend log."""
    log = None
    if settings.litellm_url is not None:
        key = "" if settings.litellm_api_key is None else settings.litellm_api_key.get_secret_value()
        log = LiteLlm(http, settings.litellm_url, key, timeout=2 * settings.provider_timeout)
    rates = UsageRates(prices=make_price_book(settings), uses=settings.use_terms)
    return Metering(
        log=log,
        rates=rates,
        late=settings.usage_late,
        longest=settings.litellm_longest_call,
        paying=settings.paying_actions,
        trusts_callers=settings.litellm_trusts_callers,
        charges_calls=settings.litellm_charges,
        arrears=settings.arrears_rules,
    )


def make_mailer(settings: Settings, database: Database) -> Notifier | None:
    """Build what carries mails; without the address of a mail server nobody does.

    Raises:
        WrongSettings: a template of mails cannot be used.
    """
    if settings.mail_host is None or settings.mail_sender is None:
        return None
    password = settings.mail_password
    try:
        templates = MailTemplates(settings.mail_sender_name, settings.mail_templates)
    except InvalidTemplate as error:
        raise WrongSettings([f"BURSAR_MAIL_TEMPLATES: {error}"]) from None
    bounces = BounceAddresses.of(settings.mail_bounces, settings.signing_keys)
    carrier = SmtpMailer(
        SmtpServer(
            host=settings.mail_host,
            port=settings.mail_port,
            tls=settings.mail_tls,
            sender=settings.mail_sender,
            sender_name=settings.mail_sender_name,
            username=settings.mail_username,
            password=None if password is None else password.get_secret_value(),
            timeout=2 * settings.provider_timeout,
        ),
        templates=templates,
        return_path=None if bounces is None else lambda to: bounces.address(to, datetime.now(UTC).date()),
    )
    return SuppressingNotifier(carrier, database)


def make_secrets(settings: Settings) -> SecretBackends:
    """Build what keeps secrets: in the database, where something wraps their keys, and in Vault where one is set up."""
    from providers.secrets.sealing import LocalKeyWrapper, PostgresBackend
    from providers.secrets.vault import KeyWrappers, TransitKeyWrapper, VaultBackend, VaultClient
    from runtime.codec import parse_keys

    wrappers: dict[str, KeyWrapper] = {}
    backends: dict[str, SecretBackend] = {}
    closers: list[Callable[[], Awaitable[None]]] = []
    keys = settings.sealing_keys
    if keys is not None and (text := keys.get_secret_value().strip()):
        wrappers["local"] = LocalKeyWrapper(parse_keys(text))
    if settings.vault_url is not None and settings.vault_role_id is not None and settings.vault_secret_id is not None:
        roots = trusted()
        if settings.vault_trust_roots is not None:
            with _from("BURSAR_VAULT_TRUST_ROOTS"):
                roots = ssl.create_default_context(cafile=settings.vault_trust_roots)
        timeout = settings.provider_timeout.total_seconds()
        http = httpx2.AsyncClient(timeout=timeout, verify=roots, trust_env=False, follow_redirects=False)
        closers.append(http.aclose)
        client = VaultClient(
            http,
            settings.vault_url,
            role_id=settings.vault_role_id,
            secret_id=settings.vault_secret_id.get_secret_value(),
            timeout=settings.provider_timeout,
            clock=_now,
        )
        if settings.vault_transit_key is not None:
            wrappers["vault"] = TransitKeyWrapper(client, settings.vault_transit_key)
        if settings.vault_kv_mount is not None:
            backends["vault"] = VaultBackend(client, settings.vault_kv_mount)
    if settings.secret_wrapper in wrappers:
        backends["postgres"] = PostgresBackend(KeyWrappers(wrappers, settings.secret_wrapper))
    return SecretBackends(backends, settings.secret_backend, closers)


def make_rotators(settings: Settings, database: Database) -> Mapping[RotatorName, Rotator]:
    """Build what replaces secrets at their targets."""
    from providers.judged import Names, Receivers
    from providers.secrets.rotators.base import ManualRotator
    from providers.secrets.rotators.http import HttpRotator
    from providers.secrets.rotators.postgres import PostgresRotator
    from runtime.roles import scram_verifier
    from services.secrets.own_keys import OwnKeysRotator

    local = settings.allow_insecure_webhooks
    names, inside = Names(), settings.rotation_targets

    def receivers(org_id: str) -> Receivers:
        return Receivers(local=local, resolver=names, inside=inside.get(org_id, ()))

    return {
        RotatorName.BURSAR: OwnKeysRotator(database, settings.key_rules),
        RotatorName.POSTGRES: PostgresRotator(receivers, scram_verifier),
        RotatorName.HTTP: HttpRotator(receivers, local=local),
        RotatorName.MANUAL: ManualRotator(),
    }


def make_price_book(settings: Settings) -> PriceBook:
    """Build what a process rates usage by: imported prices, and the default price where one is configured."""
    text = settings.default_model_price
    return PriceBook(default_price(text) if text else None)


@contextmanager
def _from(name: str) -> Iterator[None]:
    """Name the setting that something cannot be made from."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise WrongSettings([f"{name}: {' '.join(str(error).split())}"]) from error


def _secrets(settings: Settings) -> list[str]:
    given = settings.stripe_webhook_secrets
    return [] if given is None else [secret.strip() for secret in given.get_secret_value().split(",") if secret.strip()]


def _paypal(settings: Settings, closers: list[Callable[[], Awaitable[None]]]) -> PaymentProvider:
    from providers.payments.paypal import PayPalProvider

    assert settings.paypal_client_id is not None
    assert settings.paypal_client_secret is not None
    http = httpx2.AsyncClient(
        base_url=settings.paypal_api_base,
        timeout=settings.provider_timeout.total_seconds(),
        verify=trusted(),
        trust_env=False,
    )
    closers.append(http.aclose)
    return PayPalProvider(
        http,
        client_id=settings.paypal_client_id,
        client_secret=settings.paypal_client_secret.get_secret_value(),
        webhook_id=settings.paypal_webhook_id or "",
        cert_hosts=[host.strip() for host in settings.paypal_cert_hosts.split(",") if host.strip()],
        trust_roots=_paypal_roots(settings),
    )


def _paypal_roots(settings: Settings) -> list[x509.Certificate] | None:
    if settings.paypal_trust_roots is None:
        return None
    with _from("BURSAR_PAYPAL_TRUST_ROOTS"):
        return x509.load_pem_x509_certificates(settings.paypal_trust_roots.read_bytes())


def _crypto(settings: Settings, database: Database, http: httpx2.AsyncClient) -> tuple[PaymentProvider, frozenset[str]]:
    from providers.chains.addresses import BitcoinAccount, EthereumAccount, TonAccount
    from providers.chains.esplora import EsploraWatcher
    from providers.chains.evm import EvmWatcher
    from providers.chains.ton import TonWatcher
    from providers.payments.crypto import Chain, CryptoProvider

    chains: list[Chain] = []
    if settings.btc_xpub and settings.esplora_url:
        watcher = EsploraWatcher(http, settings.esplora_url, confirmations=settings.btc_confirmations)
        with _from("BURSAR_BTC_XPUB"):
            chains.append(Chain(BitcoinAccount(settings.btc_xpub), watcher))
    if settings.eth_xpub and settings.evm_rpc_url and settings.evm_usdc_contract:
        usdc, chain_id = settings.evm_usdc_contract, settings.evm_chain_id
        evm = EvmWatcher(
            http, settings.evm_rpc_url, usdc_contract=usdc, chain_id=chain_id, confirmations=settings.evm_confirmations
        )
        with _from("BURSAR_ETH_XPUB or BURSAR_EVM_USDC_CONTRACT"):
            chains.append(Chain(EthereumAccount(settings.eth_xpub, usdc_contract=usdc, chain_id=chain_id), evm))
    if settings.ton_address and settings.ton_api_url:
        key = settings.ton_api_key.get_secret_value() if settings.ton_api_key else None
        ton = TonWatcher(http, settings.ton_api_url, api_key=key, confirmations=settings.ton_confirmations)
        with _from("BURSAR_TON_ADDRESS"):
            chains.append(Chain(TonAccount(settings.ton_address), ton))
    provider = CryptoProvider(*chains, book=PostgresDepositBook(database), clock=_now)
    return provider, frozenset(asset for chain in chains for asset in chain.account.assets)


def _rates(settings: Settings, http: httpx2.AsyncClient) -> Rates | None:
    if settings.rates_url is None:
        return None
    return HttpRates(http, settings.rates_url, clock=_now)


def _reference_rates(settings: Settings, http: httpx2.AsyncClient) -> EcbFile | None:
    if settings.reference_rates_url is None:
        return None
    return EcbFile(http, settings.reference_rates_url, timeout=settings.provider_timeout)


@asynccontextmanager
async def _connection(database: Database) -> AsyncIterator[asyncpg.Connection]:
    async with database.platform() as session:
        yield await driver_connection(session)


def _now() -> datetime:
    return datetime.now(UTC)
