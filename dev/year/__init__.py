"""A simulated year of a small marketplace on the real product: `make year`.

Nothing of the product is replaced. Its API, worker, database and the Stripe sandbox run as they are; only what time it
is comes from one simulated calendar, see `dev.year.calendar`.
"""
