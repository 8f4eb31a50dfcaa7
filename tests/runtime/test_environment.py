"""Settings from files, and under the names that others gave them."""

import os
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import TLSConfig

from domain.billing.plan import Interval
from runtime.environment import names_external_account, remove_external
from runtime.jobs import invoicing_on
from runtime.settings import Settings, WrongSettings, read_settings
from runtime.temporal import connect

STRIPE = {
    "STRIPE_SECRET_KEY": "sk_test_SECRETSECRET",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_SECRETSECRET",
}
PEM = "-----BEGIN CERTIFICATE-----\nSECRETSECRET\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the environment of the person who runs the tests."""
    for name in [name for name in os.environ if names_external_account(name)]:
        monkeypatch.delenv(name)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
async def connected(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the arguments with which Temporal's client is asked to connect."""
    options: dict[str, Any] = {}

    async def keep(address: str, **given: Any) -> object:
        options.update(given, address=address)
        return object()

    monkeypatch.setattr(Client, "connect", keep)
    return options


def key_of(settings: Settings) -> str | None:
    return None if settings.stripe_api_key is None else settings.stripe_api_key.get_secret_value()


def test_stripes_older_names_are_read(environment: Any) -> None:
    environment(**STRIPE)
    settings = read_settings()
    assert key_of(settings) == "sk_test_SECRETSECRET"
    assert settings.stripe_publishable_key == "pk_test_1"
    assert settings.stripe_webhook_secrets is not None
    assert settings.stripe_webhook_secrets.get_secret_value() == "whsec_SECRETSECRET"


def test_older_names_of_prices_set_those_of_the_hosted_checkout(environment: Any) -> None:
    environment(CREDIT_PACKAGE_SMALL="450", CREDIT_PACKAGE_LARGE="4200", BURSAR_CREDIT_PACKAGE_LARGE="4300")
    prices = {package.name: package.price_minor for package in read_settings().packages}
    assert (prices["pack_50"], prices["pack_100"], prices["pack_500"]) == (450, 1000, 4300)
    assert prices["small"] == 1490


def test_older_names_set_what_plans_cost_and_include_and_how_sales_are_shared(environment: Any) -> None:
    environment(
        STRIPE_PREMIUM_PRICE_ID="price_1",
        PREMIUM_SUBSCRIPTION_PRICE="700",
        ADDITIONAL_DEPLOY_PRICE="1200",
        FREE_MAX_PROJECTS="2",
        FREE_MAX_DEPLOYS="3",
        PREMIUM_MAX_PROJECTS="6",
        PREMIUM_MAX_DEPLOYS="7",
        CREATOR_REVENUE_SHARE="0.85",
        PLATFORM_REVENUE_SHARE="15",
    )
    settings = read_settings()
    free, premium = settings.plan_book.get("free"), settings.plan_book.get("premium")
    assert (free.projects, free.deployments, premium.projects, premium.deployments) == (2, 3, 6, 7)
    price = premium.price(Interval.MONTH, "USD")
    assert (price.amount_minor, price.price_id, settings.price_of_slots.price_minor) == (700, "price_1", 1200)
    assert settings.creator_share_bps == 8_500


def test_older_name_sets_the_day_of_the_run_of_invoices_and_the_newer_one_wins(environment: Any) -> None:
    environment(USAGE_INVOICE_DAY="5")
    assert read_settings().usage_invoice_day == 5
    [calendar] = invoicing_on(read_settings().usage_invoice_day).spec.calendars
    assert [(each.start, each.end) for each in calendar.day_of_month] == [(5, 5)]
    environment(USAGE_INVOICE_DAY="5", BURSAR_USAGE_INVOICE_DAY="7")
    assert read_settings().usage_invoice_day == 7
    environment(USAGE_INVOICE_DAY="29", BURSAR_USAGE_INVOICE_DAY="")
    with pytest.raises(WrongSettings, match="USAGE_INVOICE_DAY"):
        read_settings()


def test_shares_that_do_not_add_up_are_refused(environment: Any) -> None:
    environment(CREATOR_REVENUE_SHARE="0.85", PLATFORM_REVENUE_SHARE="0.10")
    with pytest.raises(WrongSettings, match="must add up"):
        read_settings()


def test_plans_are_read_from_a_file(environment: Any, tmp_path: Path) -> None:
    file = tmp_path / "plans.json"
    file.write_text('[{"name": "free", "projects": 7, "deploys": 0, "seats": null}]')
    environment(BURSAR_PLANS=str(file))
    (only,) = read_settings().plan_book.all
    assert (only.projects, only.deployments, only.seats) == (7, 0, None)


def test_stack_keeps_the_older_names_of_prices(environment: Any) -> None:
    environment(CREDIT_PACKAGE_SMALL="450", STRIPE_SECRET_KEY="sk_test_1")
    remove_external(os.environ)
    assert (os.environ.get("CREDIT_PACKAGE_SMALL"), os.environ.get("STRIPE_SECRET_KEY")) == ("450", None)


def test_our_names_win(environment: Any) -> None:
    environment(**STRIPE, BURSAR_STRIPE_API_KEY="sk_test_ours")
    assert key_of(read_settings()) == "sk_test_ours"
    assert read_settings().stripe_publishable_key == "pk_test_1"


def test_older_names_are_judged_as_ours_are(environment: Any) -> None:
    environment(STRIPE_PUBLISHABLE_KEY="sk_test_SECRETSECRET")
    with pytest.raises(WrongSettings, match="begins with pk_") as refusal:
        read_settings()
    assert "SECRETSECRET" not in str(refusal.value)


def test_forgotten_variables_are_exactly_those_that_are_read(environment: Any) -> None:
    environment(**STRIPE, TEMPORAL_ADDRESS="elsewhere:7233", TEMPORAL_TLS="true", TEMPORAL_CLI="/bin/true")
    remove_external(os.environ)
    settings = read_settings()
    assert key_of(settings) is None
    assert settings.temporal_address == "127.0.0.1:7233"
    assert os.environ["TEMPORAL_CLI"] == "/bin/true"


async def test_temporals_own_environment_makes_the_connection(
    environment: Any, connected: dict[str, Any], tmp_path: Path
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text(PEM)
    environment(
        TEMPORAL_ADDRESS="temporal.internal:7233",
        TEMPORAL_NAMESPACE="money",
        TEMPORAL_API_KEY="SECRETSECRET",
        TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(authority),
        TEMPORAL_TLS_SERVER_NAME="temporal",
        TEMPORAL_GRPC_META_TENANT="bursar",
    )
    settings = read_settings()
    await connect(settings)
    assert connected["address"] == "temporal.internal:7233"
    assert connected["namespace"] == "money"
    assert connected["api_key"] == "SECRETSECRET"
    assert connected["tls"] == TLSConfig(server_root_ca_cert=PEM.encode(), domain="temporal")
    assert connected["rpc_metadata"] == {"tenant": "bursar"}
    assert "SECRETSECRET" not in repr(settings)


async def test_our_address_goes_with_temporals_authority(
    environment: Any, connected: dict[str, Any], tmp_path: Path
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text(PEM)
    environment(
        BURSAR_TEMPORAL_ADDRESS="ours:7233",
        TEMPORAL_ADDRESS="theirs:7233",
        TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(authority),
    )
    await connect(read_settings())
    assert connected["address"] == "ours:7233"
    assert connected["tls"] == TLSConfig(server_root_ca_cert=PEM.encode())


async def test_our_setting_against_tls_wins(environment: Any, connected: dict[str, Any]) -> None:
    environment(BURSAR_TEMPORAL_TLS="false", TEMPORAL_TLS="true")
    await connect(read_settings())
    assert connected["tls"] is False


@pytest.mark.parametrize("name", ["TEMPORAL_API_KEY", "BURSAR_TEMPORAL_API_KEY"])
@pytest.mark.parametrize(("said", "tls"), [({}, True), ({"BURSAR_TEMPORAL_TLS": "false"}, False)])
async def test_an_api_key_goes_in_tls_unless_that_is_switched_off(
    environment: Any, connected: dict[str, Any], name: str, said: dict[str, str], tls: bool
) -> None:
    environment(**{name: "SECRETSECRET"}, **said)
    await connect(read_settings())
    assert (connected["api_key"], connected["tls"]) == ("SECRETSECRET", tls)


async def test_a_file_is_read_only_where_it_is_named(
    environment: Any, connected: dict[str, Any], tmp_path: Path
) -> None:
    own = tmp_path / ".config" / "temporalio"
    own.mkdir(parents=True)
    (own / "temporal.toml").write_text('[profile.default]\naddress = "of-the-person:7233"\n')
    named = tmp_path / "temporal.toml"
    named.write_text('[profile.default]\naddress = "named:7233"\n')
    environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / ".config"), TEMPORAL_PROFILE="default")
    assert read_settings().temporal_address == "127.0.0.1:7233"
    environment(TEMPORAL_CONFIG_FILE=str(named))
    assert read_settings().temporal_address == "named:7233"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEMPORAL_TLS", "perhaps"),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/no/where"),
        ("TEMPORAL_CONFIG_FILE", "/no/where"),
    ],
)
def test_temporals_environment_that_cannot_be_read_is_reported_in_one_line(
    environment: Any, name: str, value: str
) -> None:
    environment(**{name: value})
    with pytest.raises(WrongSettings, match="Temporal's environment cannot be read") as refusal:
        read_settings()
    assert len(refusal.value.lines) == 1
    assert "\n" not in refusal.value.lines[0]


def test_a_setting_may_be_a_file(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "bursar_paypal_client_secret").write_text("SECRETSECRET\n")
    (tmp_path / "BURSAR_DATABASE_URL").write_text("postgresql://api:SECRETSECRET@db/bursar\n")
    environment(BURSAR_SECRETS_DIR=str(tmp_path))
    settings = read_settings()
    assert settings.paypal_client_secret is not None
    assert settings.paypal_client_secret.get_secret_value() == "SECRETSECRET"
    assert settings.database_url == "postgresql://api:SECRETSECRET@db/bursar"
    assert "SECRETSECRET" not in repr(settings)


def test_the_environment_wins_over_a_file(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "bursar_stripe_api_key").write_text("sk_test_file")
    environment(BURSAR_SECRETS_DIR=str(tmp_path), **STRIPE)
    assert key_of(read_settings()) == "sk_test_file"
    environment(BURSAR_STRIPE_API_KEY="sk_test_environment")
    assert key_of(read_settings()) == "sk_test_environment"


def test_a_file_that_is_no_setting_is_reported(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "bursar_encryption_key").write_text("SECRETSECRET")
    (tmp_path / "of_somebody_else").write_text("SECRETSECRET")
    environment(BURSAR_SECRETS_DIR=str(tmp_path))
    with pytest.raises(WrongSettings) as refusal:
        read_settings()
    assert refusal.value.lines == ("bursar_encryption_key is not a setting; do you mean BURSAR_ENCRYPTION_KEYS?",)


def test_a_folder_of_secrets_that_is_not_there_is_reported(environment: Any) -> None:
    environment(BURSAR_SECRETS_DIR="/no/where")
    with pytest.raises(WrongSettings, match=r"BURSAR_SECRETS_DIR='/no/where': It is not a directory\."):
        read_settings()
