"""Reputation: what settled work, and whoever was there, say about an agent, in integers that SQL repeats exactly.

`evidence` keeps and forgets, `prior` learns what to expect of whoever has none, `score` reads both, `weights` says how
much a fact counts, `facts` what it says, `related` whose facts count for nothing, `timing` how fast answers come,
`moves` what changed, `clients` how far an organization is trusted.
"""
