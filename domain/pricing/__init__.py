"""Prices that explain themselves: rules, what they are judged by, and the price that follows.

`facts` is what is known when a price is asked for, `terms` what each kind of rule says about it, `rule` a rule with its
scope and order, `book` the rules that are in force together, `quote` a price that is kept for a client, and
`expression` what an expression of a custom rule may consist of.
"""
