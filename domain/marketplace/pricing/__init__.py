"""Prices with their reasons: rules, the facts that they use, and the resulting price.

`facts` is what is known when a price is asked for, `terms` what each kind of rule says about it, `rule` a rule with its
scope and order, `book` the rules that are in force together, `quote` a price that is kept for a client, and
`expression` what an expression of a custom rule may consist of.
"""
