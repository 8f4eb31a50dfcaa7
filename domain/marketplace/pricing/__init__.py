"""Dynamic prices: rules, the facts that they use, and the resulting price with reasons.

`facts` has the input of a price, `terms` the terms of each type of rule, `rule` a rule with its scope and order, `book`
all rules in force, `quote` prices reserved for a client, and `expression` the syntax of custom rules.
"""
