"""Settings that cannot be right end the process, and tell why without telling a secret."""

import pytest
from pydantic import ValidationError

from runtime.settings import Settings

SECRETS = {
    "BURSAR_ENCRYPTION_KEYS": "one:SECRETSECRET",
    "BURSAR_STRIPE_API_KEY": "sk_live_SECRETSECRET",
    "BURSAR_STRIPE_WEBHOOK_SECRETS": "whsec_SECRETSECRET",
    "BURSAR_PAYPAL_CLIENT_SECRET": "SECRETSECRET",
    "BURSAR_TON_API_KEY": "SECRETSECRET",
}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"BURSAR_CREDIT_PRICE": "abc"}, "price"),
        ({"BURSAR_PORT": "abc"}, "port"),
        ({"BURSAR_STRIPE_PUBLISHABLE_KEY": "sk_live_SECRETSECRET"}, "BURSAR_STRIPE_PUBLISHABLE_KEY"),
        ({"BURSAR_STRIPE_PUBLISHABLE_KEY": "rk_test_SECRETSECRET"}, "BURSAR_STRIPE_PUBLISHABLE_KEY"),
        ({"BURSAR_STRIPE_API_BASE": "http://stripe.example"}, "BURSAR_STRIPE_API_BASE"),
        ({"BURSAR_STRIPE_API_BASE": "http://127.0.0.1:8002"}, "BURSAR_STRIPE_API_BASE"),
    ],
)
def test_wrong_setting_is_told_and_no_secret_with_it(
    wrong: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (SECRETS | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert told in str(refusal.value)
    assert "SECRET" not in str(refusal.value).replace("WEBHOOK_SECRETS", "")


@pytest.mark.parametrize(
    "right",
    [
        {"stripe_api_key": "sk_live_1", "stripe_api_base": "https://proxy.example"},
        {"stripe_api_key": "sk_live_1", "stripe_publishable_key": "pk_live_1"},
        {"stripe_api_key": "sk_test_1", "stripe_api_base": "http://127.0.0.1:8002"},
    ],
)
def test_keys_where_they_belong_are_taken(right: dict[str, str]) -> None:
    assert Settings.model_validate(right).stripe_api_key is not None
