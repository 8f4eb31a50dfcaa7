"""Payouts: earnings that leave in money. `state` is what a payout is, `commands` decide, `agenda` says what is due."""
