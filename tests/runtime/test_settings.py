"""Wrong settings end the process, with a reason that contains no secret."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from composition import make_providers
from dev.sandbox.chains.accounts import TON_ADDRESS
from domain.common.credits import credit_price
from manage import main
from runtime.database import Database
from runtime.settings import Settings, WrongSettings, read_settings
from tests.support.cases import for_each
from tests.support.seeds import seeds_told

ROOT = Path(__file__).resolve().parents[2]

SECRETS = {
    "BURSAR_ENCRYPTION_KEYS": f"SECRETSECRET:{base64.b64encode(bytes(32)).decode()}",
    "BURSAR_STRIPE_API_KEY": "sk_live_SECRETSECRET",
    "BURSAR_STRIPE_WEBHOOK_SECRETS": "whsec_SECRETSECRET",
    "BURSAR_PAYPAL_CLIENT_SECRET": "SECRETSECRET",
    "BURSAR_TON_API_KEY": "SECRETSECRET",
    "BURSAR_TRAIT_KEY": "SECRETSECRETSECRET",
}
VAULT = {
    "BURSAR_VAULT_URL": "https://vault.example",
    "BURSAR_VAULT_ROLE_ID": "role",
    "BURSAR_VAULT_SECRET_ID": "SECRETSECRET",
    "BURSAR_VAULT_KV_MOUNT": "secret",
}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"BURSAR_CREDIT_PRICE": "abc"}, "price"),
        ({"BURSAR_PORT": "abc"}, "port"),
        ({"BURSAR_DEFAULT_MODEL_PRICE": "{}"}, "BURSAR_DEFAULT_MODEL_PRICE"),
        ({"BURSAR_ENCRYPTION_KEYS": " ", "BURSAR_SEALED_SIGNALS": "true"}, "BURSAR_SEALED_SIGNALS"),
        ({"BURSAR_STRIPE_PUBLISHABLE_KEY": "sk_live_SECRETSECRET"}, "BURSAR_STRIPE_PUBLISHABLE_KEY"),
        ({"BURSAR_PROBE_PAYMENT": "10"}, "set BURSAR_PROBE as well"),
        ({"BURSAR_PROBE": "PT5M", "BURSAR_PROBE_PAYMENT": "10"}, "there is a live key"),
        ({"BURSAR_PROBE": "PT30S"}, "probe"),
        ({"BURSAR_STRIPE_PUBLISHABLE_KEY": "rk_test_SECRETSECRET"}, "BURSAR_STRIPE_PUBLISHABLE_KEY"),
        ({"BURSAR_STRIPE_PUBLISHABLE_KEY": "pk_test_1"}, "both must be of one mode"),
        ({"BURSAR_STRIPE_ELEMENTS": "true"}, "BURSAR_STRIPE_PUBLISHABLE_KEY"),
        ({"BURSAR_STRIPE_API_BASE": "http://stripe.example"}, "BURSAR_STRIPE_API_BASE"),
        ({"BURSAR_REFERENCE_RATES_URL": "http://SECRET@ecb.example/daily.xml"}, "must begin with https://"),
        ({"BURSAR_REFERENCE_RATES_URL": "file:///etc/SECRET"}, "reference_rates_url"),
        ({"BURSAR_REFERENCE_RATES_MAX_AGE": "P32D"}, "reference_rates_max_age"),
        ({"BURSAR_STRIPE_API_BASE": "http://127.0.0.1:8002"}, "BURSAR_STRIPE_API_BASE"),
        ({"BURSAR_SECRET_WRAPPER": "vault"}, "needs BURSAR_VAULT_TRANSIT_KEY"),
        ({"BURSAR_SECRET_BACKEND": "vault"}, "needs BURSAR_VAULT_KV_MOUNT"),
        ({"BURSAR_SECRET_BACKEND": "file"}, "secret_backend"),
        ({"BURSAR_ROTATION_HOSTS": "org_1/db.internal:5432,vault.internal"}, "org_…/host:port"),
        ({"BURSAR_ROTATION_HOSTS": "org_1/db.internal"}, "org_…/host:port"),
        ({"BURSAR_VAULT_TRANSIT_KEY": "bursar"}, "BURSAR_VAULT_URL and BURSAR_VAULT_ROLE_ID and"),
        ({"BURSAR_VAULT_KV_MOUNT": "../sys"}, "vault_kv_mount"),
        (VAULT | {"BURSAR_VAULT_URL": "http://SECRET@vault.example"}, "must begin with https://"),
        (VAULT | {"BURSAR_VAULT_SECRET_ID": ""}, "BURSAR_VAULT_SECRET_ID must be set as well"),
        (VAULT | {"BURSAR_VAULT_KV_MOUNT": ""}, "is for nothing"),
        (
            VAULT
            | {"BURSAR_SECRET_BACKEND": "vault", "BURSAR_ENCRYPTION_KEYS": " ", "BURSAR_PLAIN_PAYLOADS": "accept"},
            "Vault for secrets needs",
        ),
    ],
)
def test_wrong_setting_is_reported_and_no_secret_with_it(
    wrong: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (SECRETS | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert told in str(refusal.value)
    assert "SECRET" not in re.sub(r"WEBHOOK_SECRETS|BURSAR_SECRET_[A-Z]+|VAULT_SECRET_ID", "", str(refusal.value))


@pytest.mark.parametrize(
    "right",
    [
        {"stripe_api_key": "sk_live_1", "stripe_api_base": "https://proxy.example", "plain_payloads": "accept"},
        {"stripe_api_key": "sk_live_1", "stripe_publishable_key": "pk_live_1", "plain_payloads": "accept"},
        {"stripe_api_key": "sk_test_1", "stripe_api_base": "http://127.0.0.1:8002"},
    ],
)
def test_keys_where_they_belong_are_taken(right: dict[str, str]) -> None:
    assert Settings.model_validate({**right, "trait_key": "a secret of the place"}).stripe_api_key is not None


STRIPE, PAYPAL = "BURSAR_STRIPE_API_KEY", "BURSAR_PAYPAL_CLIENT_ID"
RELATED = {"BURSAR_TRAIT_KEY": "a secret of the place"}
PAYPAL_KEYS = {PAYPAL: "id", "BURSAR_PAYPAL_CLIENT_SECRET": "SECRETSECRET"}
COINS = {"BURSAR_TON_ADDRESS": TON_ADDRESS, "BURSAR_TON_API_URL": "https://tonapi.example"}
PAYPAL_SANDBOX = {**PAYPAL_KEYS, "BURSAR_PAYPAL_API_BASE": "https://api-m.sandbox.paypal.com"}


@pytest.mark.parametrize(
    ("live", "told"),
    [
        ({STRIPE: "sk_live_SECRETSECRET"}, STRIPE),
        ({STRIPE: "rk_live_SECRETSECRET"}, STRIPE),
        (PAYPAL_KEYS, PAYPAL),
        ({**PAYPAL_KEYS, "BURSAR_PAYPAL_API_BASE": "https://API.paypal.com:443/"}, PAYPAL),
        ({**PAYPAL_KEYS, STRIPE: "sk_live_SECRETSECRET"}, f"{STRIPE} and {PAYPAL}"),
        ({**PAYPAL_SANDBOX, STRIPE: "sk_live_SECRETSECRET"}, STRIPE),
        (COINS, "BURSAR_TON_ADDRESS"),
        ({"BURSAR_BTC_XPUB": "zpub1", "BURSAR_ESPLORA_URL": "https://esplora.example"}, "BURSAR_BTC_XPUB"),
        ({"BURSAR_ETH_XPUB": "xpub1", "BURSAR_EVM_RPC_URL": "https://rpc.example"}, "BURSAR_ETH_XPUB"),
        ({**COINS, STRIPE: "sk_live_SECRETSECRET"}, f"{STRIPE} and BURSAR_TON_ADDRESS"),
    ],
)
@pytest.mark.parametrize("keys", ["", " "])
def test_live_key_takes_sealed_payloads(
    live: dict[str, str], told: str, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = lines_of(monkeypatch, **live, BURSAR_ENCRYPTION_KEYS=keys)
    assert line.startswith(f"{told} moves real money")
    assert "BURSAR_PLAIN_PAYLOADS=accept" in line
    assert "SECRETSECRET" not in line


@for_each(
    "given",
    [
        {STRIPE: "sk_live_1", "BURSAR_ENCRYPTION_KEYS": SECRETS["BURSAR_ENCRYPTION_KEYS"], **RELATED},
        {STRIPE: "sk_live_1", "BURSAR_PLAIN_PAYLOADS": "accept", **RELATED},
        {**PAYPAL_KEYS, "BURSAR_PLAIN_PAYLOADS": "accept", **RELATED},
        {STRIPE: "sk_test_1"},
        PAYPAL_SANDBOX,
        {**PAYPAL_KEYS, "BURSAR_PAYPAL_API_BASE": "http://127.0.0.1:8003"},
        {PAYPAL: "id"},
        {**COINS, "BURSAR_PLAIN_PAYLOADS": "accept"},
        {**COINS, "BURSAR_TON_API_URL": "http://127.0.0.1:8004"},
        {"BURSAR_BTC_XPUB": "vpub1", "BURSAR_ESPLORA_URL": "https://esplora.example"},
        {"BURSAR_ETH_XPUB": "xpub1", "BURSAR_EVM_RPC_URL": "https://rpc.example", "BURSAR_EVM_CHAIN_ID": "11155111"},
    ],
)
def test_process_without_a_live_key_or_with_sealed_or_accepted_payloads_starts(given: dict[str, str]) -> None:
    assert read_settings(given) is not None


@pytest.mark.parametrize(
    ("live", "test"),
    [
        ({STRIPE: "sk_live_1"}, {STRIPE: "sk_test_1"}),
        (PAYPAL_KEYS, PAYPAL_SANDBOX),
        (COINS, {**COINS, "BURSAR_TON_API_URL": "http://127.0.0.1:8004"}),
    ],
    ids=["stripe", "paypal", "coins"],
)
@pytest.mark.parametrize(
    "inside",
    [{"BURSAR_ALLOW_INSECURE_WEBHOOKS": "true"}, {"BURSAR_SLACK_URL": "http://127.0.0.1:8010/"}],
    ids=["webhooks", "slack"],
)
def test_nothing_is_sent_to_this_machine_where_money_is_real(
    live: dict[str, str], test: dict[str, str], inside: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings({**test, **inside}) is not None
    (line,) = lines_of(monkeypatch, **live, **inside, **RELATED, BURSAR_PLAIN_PAYLOADS="accept")
    assert next(iter(inside)) in line
    assert "moves real money: unset it" in line


def test_plain_payloads_are_accepted_only_with_their_own_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = lines_of(monkeypatch, BURSAR_PLAIN_PAYLOADS="true")
    assert line.startswith("BURSAR_PLAIN_PAYLOADS='true': Input should be 'accept'")


def lines_of(monkeypatch: pytest.MonkeyPatch, **wrong: str) -> list[str]:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as refusal:
        read_settings()
    return list(refusal.value.lines)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BURSAR_COMMISSION_BPS", "abc", "BURSAR_COMMISSION_BPS='abc': Input should be a valid integer"),
        ("BURSAR_FUND_WITHIN", "3 Tage", "BURSAR_FUND_WITHIN='3 Tage': Input should be a valid timedelta"),
        ("BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE", "2", "BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE: "),
        ("BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE", "0.05", "BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE is not between "),
        ("BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE", "0.95", "BURSAR_DISPUTE_DEFAULT_PAYEE_SHARE is not between "),
        ("BURSAR_REVIEW_PERIOD", "PT1S", "BURSAR_REVIEW_PERIOD is shorter than BURSAR_MIN_REVIEW_PERIOD."),
        ("BURSAR_CREDIT_PACKAGES", "[", "BURSAR_CREDIT_PACKAGES: "),
        ("BURSAR_LITELLM_ACTIONS", "[]", "BURSAR_LITELLM_ACTIONS: They must be a JSON object of actions"),
        ("BURSAR_LITELLM_ACTIONS", '{"llm_call": "0"}', "BURSAR_LITELLM_ACTIONS: The amount must be greater"),
        ("BURSAR_CREDIT_PACKAGE_SMALL", "0", "BURSAR_CREDIT_PACKAGES: The price of the credit package pack_50"),
        ("BURSAR_CREDIT_PACKAGE_SMALL", "5.00", "BURSAR_CREDIT_PACKAGE_SMALL='5.00': It must be a whole"),
        ("BURSAR_ADDITIONAL_DEPLOY_PRICE", "10.00", "BURSAR_ADDITIONAL_DEPLOY_PRICE='10.00': It must be a whole"),
        ("BURSAR_ADDITIONAL_DEPLOY_PRICE", "0", "BURSAR_SLOT_PRICE and BURSAR_SLOT_CURRENCY: "),
        ("BURSAR_PLANS", "/no/where.json", "BURSAR_PLANS: It is neither a JSON list nor the path"),
        ("BURSAR_PLANS", "[]", "BURSAR_PLANS: The plans must be a JSON list of 1"),
        ("BURSAR_PREMIUM_SUBSCRIPTION_PRICE", "2901", "BURSAR_PLANS: The plan starter costs less"),
        ("BURSAR_CREATOR_REVENUE_SHARE", "-1", "BURSAR_CREATOR_REVENUE_SHARE and BURSAR_PLATFORM_REVENUE_SHARE: "),
        ("BURSAR_LARGEST_TOPUP", "500 USD", "BURSAR_LARGEST_TOPUP='500 USD': '500 USD' does not belong here. Write an"),
        (
            "BURSAR_UNPAID_USAGE_LIMIT",
            "1, 2.5 JPY",
            "BURSAR_UNPAID_USAGE_LIMIT='1, 2.5 JPY': 2.5 has too many decimals",
        ),
        ("BURSAR_FEES_ALERT_LEAST", "x", "BURSAR_FEES_ALERT_LEAST='x': The amount must be a plain decimal number"),
        ("BURSAR_TWO_OPERATORS_ABOVE", "-1", "BURSAR_TWO_OPERATORS_ABOVE='-1': The amount must be zero or more"),
        ("BURSAR_PAYOUT_MINIMUM", "1, 1 EURO", "BURSAR_PAYOUT_MINIMUM='1, 1 EURO': '1 EURO' does not belong here."),
        ("BURSAR_RATE_LIMIT", "many", "BURSAR_RATE_LIMIT='many': "),
        (
            "BURSAR_RATE_LIMIT_STORAGE",
            "redis://:SECRETSECRET@host",
            "BURSAR_RATE_LIMIT_STORAGE: It must begin with async+",
        ),
        ("BURSAR_DATABASE_URL", "mysql://api:SECRETSECRET@host/db", "BURSAR_DATABASE_URL: It must be a PostgreSQL URL"),
        (
            "BURSAR_DATABASE_URL",
            "postgresql://a:SECRETSECRET@host/db?sslmode=on",
            "BURSAR_DATABASE_URL: Its sslmode must be",
        ),
        (
            "BURSAR_DATABASE_URL",
            "postgres://host/db?sslrootcert=/no/where",
            "BURSAR_DATABASE_URL: Its sslrootcert does not exist",
        ),
        ("BURSAR_ENCRYPTION_KEYS", "one:SECRETSECRET", "BURSAR_ENCRYPTION_KEYS: "),
        ("BURSAR_COMISSION_BPS", "500", "BURSAR_COMISSION_BPS is not a setting; do you mean BURSAR_COMMISSION_BPS?"),
        ("BURSAR_DATADIR", "/tmp", "BURSAR_DATADIR is not a setting; do you mean BURSAR_DATA_DIR?"),
        ("bursar_comission_bps", "500", "bursar_comission_bps is not a setting; do you mean BURSAR_COMMISSION_BPS?"),
        ("BURSAR_XYZZY", "1", "BURSAR_XYZZY is not a setting; docs/reference/settings.md lists all."),
    ],
)
def test_setting_that_cannot_be_right_is_reported_in_one_line(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = lines_of(monkeypatch, **{name: value})
    assert line.startswith(told)
    assert "\n" not in line
    assert "SECRETSECRET" not in line


def test_variables_of_the_python_client_are_ignored_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    names = re.findall(r'environ\.get\("(BURSAR_\w+)"', (ROOT / "sdk/bursar/_calls.py").read_text("utf-8"))
    assert len(names) == 2
    for name in names:
        monkeypatch.setenv(name, "bsk_1")
    read_settings()


def test_price_of_a_package_that_is_not_sold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = lines_of(monkeypatch, BURSAR_CREDIT_PACKAGES="[]", BURSAR_CREDIT_PACKAGE_LARGE="4200")
    assert line.endswith("A price is set for the credit package pack_500, which does not exist.")


def test_all_wrong_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(monkeypatch, BURSAR_PROT="1", BURSAR_PORT="x", BURSAR_COMMISSION_BPS="10001")
    assert [line.split("=")[0].split(" ")[0] for line in lines] == [
        "BURSAR_PROT",
        "BURSAR_PORT",
        "BURSAR_COMMISSION_BPS",
    ]


def test_names_of_the_stack_and_empty_values_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_DATA_DIR", "/tmp/data")
    monkeypatch.setenv("BURSAR_LEFT_EMPTY", "")
    assert read_settings({"BURSAR_COMMISSION_BPS": "7", "PATH": "/"}).commission_bps == 7


def test_seeds_printed_by_a_test_run_can_be_used_again() -> None:
    read_settings(dict(told.split("=") for told in seeds_told().split()))


def test_private_key_where_a_public_one_belongs_is_a_wrong_setting() -> None:
    settings = Settings(btc_xpub="zprvSECRETSECRET", esplora_url="http://127.0.0.1:1")
    with pytest.raises(WrongSettings) as refusal:
        make_providers(settings, Database(settings.database_url, settings.platform_database_url))
    assert str(refusal.value).startswith("BURSAR_BTC_XPUB: ")
    assert "SECRETSECRET" not in str(refusal.value)


WRONG = {"BURSAR_COMMISSION_BPS": "abc"}
REFUSAL = ["error: BURSAR_COMMISSION_BPS='abc': Input should be a valid integer, unable to parse string as an integer"]


@pytest.mark.parametrize(
    "command",
    [
        ("server.py",),
        ("worker.py",),
        ("-m", "ledger", "verify"),
        ("-m", "manage", "temporal", "ensure"),
        ("-m", "alembic", "current"),
        ("-m", "dev.stack", "run"),
        ("-m", "dev.stack", "demo"),
    ],
    ids=" ".join,
)
def test_every_process_ends_with_one_line_before_it_does_anything(command: tuple[str, ...], tmp_path: Path) -> None:
    wrong = {**WRONG, "BURSAR_DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **wrong}, capture_output=True, text=True, check=False
    )
    assert ended.returncode in {1, 2}
    assert ended.stderr.splitlines() == REFUSAL
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["operator-key", "reconcile", "roles", "stripes 16", "verify"])
def test_every_command_ends_with_that_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(*next(iter(WRONG.items())))
    assert main(command.split()) in {1, 2}
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == ("", REFUSAL)


def test_representation_of_the_settings_holds_no_secret() -> None:
    secret = "postgresql://role:SECRETSECRET@host/bursar"
    names = ("database_url", "platform_database_url", "migration_database_url", "otlp_endpoint", "evm_rpc_url")
    settings = Settings.model_validate({**dict.fromkeys(names, secret), "stripe_api_key": "sk_test_SECRETSECRET"})
    assert "SECRETSECRET" not in f"{settings!r} {settings}"


KEY = "k:" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("keys", "setting", "sealed"),
    [(None, None, False), ("", None, False), (KEY, None, True), (KEY, False, False), (KEY, True, True)],
)
def test_signals_are_sealed_wherever_there_are_keys(keys: str | None, setting: bool | None, sealed: bool) -> None:
    settings = Settings.model_validate({"encryption_keys": keys, "sealed_signals": setting})
    assert settings.signals_are_sealed is sealed


@pytest.mark.parametrize(
    ("keys", "setting", "shown"), [(None, None, False), (KEY, None, True), (KEY, False, False), (None, True, True)]
)
def test_names_are_shown_where_payloads_are_sealed_or_a_setting_allows_it(
    keys: str | None, setting: bool | None, shown: bool
) -> None:
    settings = Settings.model_validate({"encryption_keys": keys, "names_in_temporal": setting})
    assert settings.names_are_shown is shown


@pytest.mark.parametrize("amount", ["1.230", "1.234"])
def test_price_of_a_plan_that_stripe_cannot_charge_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, amount: str
) -> None:
    price = {"interval": "month", "amount": amount, "currency": "KWD"}
    free = {"name": "free", "projects": 1, "deploys": 1, "seats": 1}
    plans = json.dumps([free, {**free, "name": "pro", "prices": [price]}])
    settings = Settings(plans=plans, stripe_api_key="sk_test_1")
    database = Database(settings.database_url, settings.platform_database_url)
    if amount == "1.230":
        make_providers(settings, database)
        return
    with pytest.raises(WrongSettings, match=r"BURSAR_PLANS: the price of the plan pro by the month: 1\.234 KWD"):
        make_providers(settings, database)
    # Nobody can subscribe without Stripe.
    make_providers(Settings(plans=plans), database)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({STRIPE: "sk_live_1"}, STRIPE),
        (PAYPAL_KEYS, PAYPAL),
        ({**PAYPAL_KEYS, STRIPE: "sk_live_1"}, f"{STRIPE} and {PAYPAL}"),
    ],
)
def test_real_cards_that_relate_nobody_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    (line,) = lines_of(monkeypatch, **given, BURSAR_PLAIN_PAYLOADS="accept")
    assert line.startswith(f"{named} moves real money, and BURSAR_TRAIT_KEY is not set")


@for_each(
    ("given", "is_warned"),
    [
        ({STRIPE: "sk_test_1"}, True),
        (PAYPAL_SANDBOX, True),
        ({}, False),
        ({STRIPE: "sk_test_1", **RELATED}, False),
        ({STRIPE: "sk_live_1", "BURSAR_PLAIN_PAYLOADS": "accept", **RELATED}, False),
    ],
)
def test_cards_that_relate_nobody_are_warned_of(given: dict[str, str], is_warned: bool) -> None:
    warnings = read_settings(given).warnings
    assert any(line.startswith("BURSAR_TRAIT_KEY is not set") for line in warnings) == is_warned


def test_sales_that_lose_by_the_providers_fee_are_warned_of_by_name() -> None:
    [warning] = Settings().price_warnings
    losses = "package pack_50 loses 0.20 USD in escrows; package pack_100 loses 0.09 USD in escrows."
    assert warning.startswith(f"After the payment provider's fee these sales lose money: {losses}")
    assert Settings(provider_fee_percent="0", provider_fee_fixed="0").price_warnings == ()
    assert Settings(topup_fee_below="14.00").price_warnings == ()
    [warning] = Settings(topup_fee_below="14.00", cost_markup="0", commission_bears_discounts=True).price_warnings
    losses = " and ".join(f"10.45 USD in {use}" for use in ("escrows", "sales of agents", "model calls"))
    assert f"package jumbo loses {losses};" in warning


def test_evidence_counts_credits_at_their_price() -> None:
    policy = Settings(
        credit_price="0.03", credit_currency="EUR", reputation_registrars="operator, sales"
    ).evidence_policy
    assert policy.registrars == ("operator", "sales")
    assert (policy.credit, policy.chargeback_days) == (credit_price("0.03", "EUR"), 120)


def test_invalid_markup_is_refused() -> None:
    with pytest.raises(ValidationError, match="BURSAR_COST_MARKUP"):
        Settings(cost_markup="free")


def test_markup_on_cost_is_that_of_invoices_and_of_arrears() -> None:
    settings = Settings(cost_markup="0.2")
    assert settings.invoice_rules.cost_markup_e6 == settings.arrears_rules.markup_e6 == 200_000


def test_amounts_are_read_for_every_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "500.00, 70000 JPY, 150.000 KWD"
    names = ("unpaid_usage_limit", "payout_minimum", "two_operators_above", "largest_topup", "fees_alert_least")
    for name in names:
        monkeypatch.setenv(f"BURSAR_{name.upper()}", text)
    settings = read_settings()
    for name in names:
        amounts = getattr(settings, name)
        assert [amounts.minor(currency) for currency in ("USD", "JPY", "KWD")] == [50_000, 70_000, 150_000], name
    assert settings.payment_rules.largest_top_up == settings.largest_topup
