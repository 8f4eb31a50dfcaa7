"""Settings under names that others gave them: Stripe's keys, prices, nights, and what Temporal's own tools read.

API, worker and the commands of a deployment read them where the setting of ours is not there. The embedded stack
forgets those of Stripe and Temporal before anything else, so that nothing it starts reads them: it has servers of its
own.
"""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile

#: Names of Stripe's keys in deployments of older platforms, by the setting that each of them is.
STRIPE = {
    "stripe_api_key": "STRIPE_SECRET_KEY",
    "stripe_publishable_key": "STRIPE_PUBLISHABLE_KEY",
    "stripe_webhook_secrets": "STRIPE_WEBHOOK_SECRET",
}
#: Names of prices in deployments of older platforms, by the setting that each of them is.
PRICES = {
    "credit_package_small": "CREDIT_PACKAGE_SMALL",
    "credit_package_medium": "CREDIT_PACKAGE_MEDIUM",
    "credit_package_large": "CREDIT_PACKAGE_LARGE",
    "credits_per_api_call": "CREDITS_PER_API_CALL",
    "credits_per_workflow_execution": "CREDITS_PER_WORKFLOW_EXECUTION",
}
#: Names of what plans cost and include, and of shares of sales, in deployments of older platforms.
PLANS = {
    name: name.upper()
    for name in (
        *("stripe_premium_price_id", "premium_subscription_price", "additional_deploy_price"),
        *("free_max_projects", "free_max_deploys", "premium_max_projects", "premium_max_deploys"),
        *("creator_revenue_share", "platform_revenue_share"),
    )
}
#: Names of the settings of reputation in deployments of older platforms.
REPUTATION = {
    "nightly_reputation_update_enabled": "NIGHTLY_REPUTATION_UPDATE_ENABLED",
    "reputation_decay_rate": "REPUTATION_DECAY_RATE",
}
#: Names of the settings of billing in deployments of older platforms.
BILLING = {"usage_invoice_day": "USAGE_INVOICE_DAY"}
#: What Temporal's tools read, by how it begins or what it is called; other names with TEMPORAL_ belong to others.
_TEMPORAL = (
    *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_GRPC_META_"),
    *("TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"),
)


class WrongEnvironment(Exception):
    """What Temporal's environment says cannot be read."""


def is_of_others(name: str) -> bool:
    """Whether a variable names servers or accounts of others."""
    return name in {*STRIPE.values(), "STRIPE_PREMIUM_PRICE_ID"} or name.startswith(_TEMPORAL)


def forget_others(environment: MutableMapping[str, str]) -> None:
    """Remove the variables that name servers or accounts of others."""
    for name in [name for name in environment if is_of_others(name)]:
        del environment[name]


def older_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that stand under the names of older platforms."""
    names = {**STRIPE, **PRICES, **PLANS, **REPUTATION, **BILLING}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}


def temporal_settings(environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of Temporal that its own environment has, and the options of a connection that no setting is.

    A configuration file is read where TEMPORAL_CONFIG_FILE names it, and not where people keep their own.

    Raises:
        WrongEnvironment: a value, or a file that it names, cannot be read.
    """
    given = {name: value for name, value in environment.items() if value and name.startswith(_TEMPORAL)}
    if "TEMPORAL_CONFIG_FILE" not in given:
        given.pop("TEMPORAL_PROFILE", None)
    if not given:
        return {}, {}
    # The SDK passes over both in silence, and would connect in clear to the default address.
    if given.get("TEMPORAL_TLS", "true").lower() not in {"true", "false", "1", "0"}:
        raise WrongEnvironment("Temporal's environment cannot be read: TEMPORAL_TLS is neither true nor false.")
    if not Path(given.get("TEMPORAL_CONFIG_FILE", __file__)).is_file():
        raise WrongEnvironment("Temporal's environment cannot be read: TEMPORAL_CONFIG_FILE does not exist.")
    # Imported where it is used: most processes that read settings have none of these.
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
