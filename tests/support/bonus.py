"""Tests say themselves what an organization has: it begins with nothing."""

from domain.project import Tier

#: Settings without a signup bonus.
NO_BONUS = {f"BURSAR_SIGNUP_BONUS_{tier.value.upper()}": "0" for tier in Tier}
