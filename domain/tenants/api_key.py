"""Platform settings of API keys."""

from dataclasses import dataclass

from domain.billing.plan import Plans


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """Maximum number of keys of an organization, and plans that limit seats."""

    quota: int | None
    plans: Plans | None
