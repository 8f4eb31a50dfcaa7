"""Chargebacks of payments: look, and answer them. Disputes about work are the escrow's."""
