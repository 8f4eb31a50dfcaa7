"""Payouts of earnings in money: `state`, the `commands` that change it, and the `agenda` of the run."""
