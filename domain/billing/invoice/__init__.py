"""Rules of invoices, pure.

`lines` has the lines and discounts, `arithmetic` the amounts, `series` the numbers, `state` the balance.
"""
