"""What a platform sets for API keys."""

from dataclasses import dataclass

from domain.billing.plan import Plans


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """The most keys of an organization, and plans that limit seats."""

    quota: int | None
    plans: Plans | None
