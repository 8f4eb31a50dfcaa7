"""Subscriptions: what an organization pays for its plan, and when. Pure.

`state.py` has the state, `commands.py` the commands, `converge.py` the changes that follow from the provider's state,
`agenda.py` what is due next, `period.py` and `proration.py` the arithmetic of time.
"""
