"""Chargebacks: what banks ask back, what is owed for it, and the evidence that is sent once."""
