"""Which stand-ins for providers a stack runs, and the settings that tie the product to them."""

from pathlib import Path

import pytest

from dev.stack.claim import Ports
from dev.stack.sandboxes import SANDBOXES, Sandboxes
from runtime.settings import Settings

API = "http://127.0.0.1:8000"


def made(data_dir: Path, *wanted: str, **environment: str) -> Sandboxes:
    return Sandboxes(data_dir, Ports(), API, frozenset(wanted or SANDBOXES), environment)


def test_every_provider_has_a_stand_in_that_the_settings_point_at(tmp_path: Path) -> None:
    sandboxes = made(tmp_path)
    assert set(sandboxes.parts) == set(SANDBOXES)
    settings = Settings(**{name.removeprefix("BURSAR_").lower(): value for name, value in sandboxes.settings.items()})
    for url, part in (
        (settings.stripe_api_base, "stripe"),
        (settings.paypal_api_base, "paypal"),
        (settings.esplora_url, "chains"),
        (settings.evm_rpc_url, "chains"),
        (settings.ton_api_url, "chains"),
        (settings.rates_url, "chains"),
        (settings.litellm_url, "litellm"),
        (settings.vies_url, "vies"),
        (settings.slack_url, "slack"),
        (settings.search_index_url, "search"),
    ):
        assert url is not None
        assert url.startswith(sandboxes.parts[part].url)
    assert settings.stripe_webhook_secrets is not None
    assert settings.stripe_webhook_secrets.get_secret_value() == sandboxes.dev["stripe_webhook_secret"]
    assert settings.payment_return_url == f"{API}/"


def test_command_lines_which_everybody_reads_hold_no_secret(tmp_path: Path) -> None:
    sandboxes = made(tmp_path)
    secrets = [sandboxes.dev["stripe_api_key"], sandboxes.dev["stripe_webhook_secret"]]
    command_lines = [" ".join(part.program().argv) for part in sandboxes.parts.values()]
    assert [line for line in command_lines if any(str(secret) in line for secret in secrets)] == []


@pytest.mark.parametrize(
    ("variable", "real"),
    [
        ("BURSAR_STRIPE_API_KEY", "stripe"),
        ("BURSAR_PAYPAL_CLIENT_ID", "paypal"),
        ("BURSAR_BTC_XPUB", "chains"),
        ("BURSAR_ETH_XPUB", "chains"),
        ("BURSAR_TON_ADDRESS", "chains"),
        ("BURSAR_LITELLM_URL", "litellm"),
        ("BURSAR_MAIL_HOST", "mail"),
        ("BURSAR_VAT_NUMBER", "vies"),
        ("BURSAR_SLACK_URL", "slack"),
        ("BURSAR_SEARCH_INDEX_URL", "search"),
    ],
)
def test_account_of_ones_own_keeps_its_stand_in_away_and_its_settings_untouched(
    tmp_path: Path, variable: str, real: str
) -> None:
    sandboxes = made(tmp_path, **{variable: "mine"})
    assert set(sandboxes.parts) == set(SANDBOXES) - {real}
    assert variable not in sandboxes.settings
    chains = ("ETH_", "ESPLORA", "EVM_RPC", "RATES", "REFERENCE_RATES")
    beginnings = {"stripe": ("STRIPE_",), "paypal": ("PAYPAL_",), "chains": chains}
    beginnings |= {
        "litellm": ("LITELLM_",),
        "mail": ("MAIL_",),
        "vies": ("VIES_",),
        "slack": ("SLACK_",),
        "search": ("SEARCH_",),
    }
    foreign = tuple(f"BURSAR_{beginning}" for beginning in beginnings[real])
    assert [name for name in sandboxes.settings if name.startswith(foreign)] == []
    assert [name for name, value in sandboxes.dev.items() if name.startswith(real) and value is not None] == []


def test_stack_without_stand_ins_gets_no_settings_of_theirs(tmp_path: Path) -> None:
    sandboxes = made(tmp_path, "postgres")
    assert (sandboxes.parts, sandboxes.settings, set(sandboxes.dev.values())) == ({}, {}, {None})


def test_secrets_of_stripe_survive_a_restart_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    first = made(tmp_path)
    first.parts["stripe"].prepare()
    assert made(tmp_path).settings == first.settings
    assert (tmp_path / "stripe" / "secrets.json").stat().st_mode & 0o777 == 0o600
    other = made(tmp_path / "other")
    assert other.dev["stripe_webhook_secret"] != first.dev["stripe_webhook_secret"]


def test_pace_of_a_stack_is_quick_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    assert made(tmp_path).settings["BURSAR_FIRST_POLL"] == "PT2S"
    slow = made(tmp_path, BURSAR_FIRST_POLL="PT1M", BURSAR_RATES_URL="https://rates.example")
    assert (slow.settings["BURSAR_FIRST_POLL"], slow.settings["BURSAR_RATES_URL"]) == ("PT1M", "https://rates.example")
