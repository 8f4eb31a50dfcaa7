"""Rules of escrows. Pure.

`state` has the state, `commands` the commands, `deadlines` the automatic exits, `settlement` the division of the money,
`presentation` the texts.
"""
