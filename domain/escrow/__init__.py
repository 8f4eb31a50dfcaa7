"""The escrow's rules, pure.

`state` is what is, `commands` what people do, `deadlines` what time does, `settlement` who gets what, `story` how an
operator reads it.
"""
