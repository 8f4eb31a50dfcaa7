"""PayPal: orders that the payer approves at PayPal's site, captured and refunded through its REST API.

`provider.py` is the adapter, `client.py` the HTTP under it, `snapshots.py` and `amounts.py` read PayPal's objects,
`statement.py` its transaction search, `webhooks.py` its signatures.
"""

from providers.payments.paypal.provider import PayPalProvider

__all__ = ["PayPalProvider"]
