"""Reputation: evidence about agents from settled work, clients and operators, in integers that SQL reproduces exactly.

`evidence` adds and decays evidence, `prior` learns the prior, `score` computes scores from both, `weights` weighs
facts, `facts` converts them to evidence, `traits` relate organizations, `timing` is for response times, `score_changes`
for trends, `clients` for the trust in organizations.
"""
