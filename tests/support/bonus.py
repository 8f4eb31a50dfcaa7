"""Tests say themselves what an organization has: it begins with nothing."""

#: Settings without a signup bonus.
NO_BONUS = {"BURSAR_SIGNUP_BONUS_FREE": "0", "BURSAR_SIGNUP_BONUS_PREMIUM": "0"}
