"""A stand-in for Stripe's test mode, on the loopback: `python -m dev.sandbox.stripe --port N --data DIR`.

    app, keys, parameters, idempotency, expand, lists, search   a request on its way to its operation and back
    schemas                                                     what Stripe allows, derived from its SDK
    operations/                                                 what each operation does
    core, store                                                 what operations are written against and kept in
    delivery, conditions, control                               webhooks, and whatever goes wrong on demand

It has the API at one version, that of the installed SDK, for one account. What Stripe has and this has not is refused,
not ignored.
"""
