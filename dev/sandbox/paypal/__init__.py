"""A stand-in for PayPal on the loopback: the endpoints in use, with PayPal's states, issues and signatures.

`app.py` serves it, `orders.py` and `amounts.py` hold what happens to money, `statement.py` lists it, `webhooks.py`
and `certificates.py` notify of it, `control.py` makes things go wrong, `pages.py` is what a payer sees, `shapes.py`
says what requests and answers look like, `store.py` keeps everything in SQLite. The product never imports it.
"""
