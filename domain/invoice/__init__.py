"""Rules of invoices, pure.

`lines` says what is billed, `arithmetic` what it comes to, `series` how it is numbered, `state` what is due of it.
"""
