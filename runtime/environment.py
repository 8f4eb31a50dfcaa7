"""Settings from environment variables of the platform's documents and of Temporal's tools.

They are read if our own setting is missing. The embedded stack removes those of Stripe and Temporal first, so that its
processes use its own servers.
"""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile

#: Variables of Stripe's keys in the platform's documents, by setting.
STRIPE = {
    "stripe_api_key": "STRIPE_SECRET_KEY",
    "stripe_publishable_key": "STRIPE_PUBLISHABLE_KEY",
    "stripe_webhook_secrets": "STRIPE_WEBHOOK_SECRET",
}
#: Names of prices.
PRICES = {
    "credit_package_small": "CREDIT_PACKAGE_SMALL",
    "credit_package_medium": "CREDIT_PACKAGE_MEDIUM",
    "credit_package_large": "CREDIT_PACKAGE_LARGE",
    "credits_per_api_call": "CREDITS_PER_API_CALL",
    "credits_per_workflow_execution": "CREDITS_PER_WORKFLOW_EXECUTION",
}
#: Names of prices and limits of plans, and shares of sales.
PLANS = {
    name: name.upper()
    for name in (
        *("stripe_premium_price_id", "premium_subscription_price", "additional_deploy_price"),
        *("free_max_projects", "free_max_deploys", "premium_max_projects", "premium_max_deploys"),
        *("creator_revenue_share", "platform_revenue_share"),
    )
}
#: Names of reputation settings.
REPUTATION = {
    "nightly_reputation_update_enabled": "NIGHTLY_REPUTATION_UPDATE_ENABLED",
    "reputation_decay_rate": "REPUTATION_DECAY_RATE",
}
#: Names of billing settings.
BILLING = {"usage_invoice_day": "USAGE_INVOICE_DAY"}
#: Variables of Temporal's tools, by prefix or name; other names with TEMPORAL_ are not used.
_TEMPORAL = (
    *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_GRPC_META_"),
    *("TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"),
)


class WrongEnvironment(Exception):
    """Temporal's variables cannot be parsed."""


def names_external_account(name: str) -> bool:
    """Return whether a variable names external servers or accounts."""
    return name in {*STRIPE.values(), "STRIPE_PREMIUM_PRICE_ID"} or name.startswith(_TEMPORAL)


def remove_external(environment: MutableMapping[str, str]) -> None:
    """Remove the variables that name external servers or accounts."""
    for name in [name for name in environment if names_external_account(name)]:
        del environment[name]


def documented_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings given under the names of the platform's documents."""
    names = {**STRIPE, **PRICES, **PLANS, **REPUTATION, **BILLING}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}


def temporal_settings(environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return Temporal's settings from its own environment, and connection options without a setting.

    A configuration file is read only if TEMPORAL_CONFIG_FILE names it, never from the default location.

    Raises:
        WrongEnvironment: a value, or a file that it names, cannot be parsed.
    """
    given = {name: value for name, value in environment.items() if value and name.startswith(_TEMPORAL)}
    if "TEMPORAL_CONFIG_FILE" not in given:
        given.pop("TEMPORAL_PROFILE", None)
    if not given:
        return {}, {}
    # The SDK ignores both silently, and would connect without TLS to the default address.
    if given.get("TEMPORAL_TLS", "true").lower() not in {"true", "false", "1", "0"}:
        raise WrongEnvironment("Temporal's environment cannot be read: TEMPORAL_TLS is neither true nor false.")
    if not Path(given.get("TEMPORAL_CONFIG_FILE", __file__)).is_file():
        raise WrongEnvironment("Temporal's environment cannot be read: TEMPORAL_CONFIG_FILE does not exist.")
    # Imported on use: most processes have none of these settings.
    from temporalio.envconfig import ClientConfigProfile

    try:
        profile = ClientConfigProfile.load(
            disable_file="TEMPORAL_CONFIG_FILE" not in given, config_file_strict=True, override_env_vars=given
        )
        return _settings(profile), _options(profile)
    except (RuntimeError, ValueError, OSError) as error:
        raise WrongEnvironment(f"Temporal's environment cannot be read: {' '.join(str(error).split())}") from None


def _settings(profile: "ClientConfigProfile") -> dict[str, Any]:
    found = {
        "temporal_address": profile.address,
        "temporal_namespace": profile.namespace,
        "temporal_api_key": profile.api_key,
        "temporal_tls": not profile.tls.disabled if profile.tls else None,
    }
    return {field: value for field, value in found.items() if value is not None}


def _options(profile: "ClientConfigProfile") -> dict[str, Any]:
    options: dict[str, Any] = {}
    if profile.tls and not profile.tls.disabled:
        options["tls"] = profile.tls.to_connect_tls_config()
    if profile.grpc_meta:
        options["rpc_metadata"] = dict(profile.grpc_meta)
    return options
