"""Reputation: evidence about agents from settled work, clients and operators, in integers that SQL repeats exactly.

`evidence` adds and fades evidence, `prior` learns what to expect without any, `score` computes scores from both,
`weights` weighs facts, `facts` turns them into evidence, `traits` are what relates organizations, `timing` is for
response times, `moves` for changes, `clients` for the trust in organizations.
"""
