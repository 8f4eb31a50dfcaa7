"""The escrow's rules, pure.

`state` is the state, `commands` what people do, `deadlines` what happens by time, `settlement` who gets what,
`presentation` how an operator reads it.
"""
