"""Subscriptions: what an organization pays for its plan, and when. Pure.

`state.py` is what is agreed and what has happened, `commands.py` what people order, `converge.py` what the state at the
provider changes, `agenda.py` what is due next, `period.py` and `proration.py` the arithmetic of time.
"""
