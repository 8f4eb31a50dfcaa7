"""Subscriptions of organizations to plans. Pure.

`state.py` has the state, `commands.py` the commands, `converge.py` applies the provider's state, `agenda.py` has the
next step, `proration.py` the arithmetic of changes.
"""
