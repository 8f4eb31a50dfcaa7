"""A stand-in for Stripe's test mode: `python -m sandbox.stripe --port N --data DIR`."""
