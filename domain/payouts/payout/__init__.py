"""Payouts of earnings in money. `state` has the state, `commands` the decisions, `agenda` what is due."""
