"""A stand-in for the API in tests of your own: credits, escrows and payments of one organization, in memory.

What it plays, and what it does not, is said at `FakeBursar`.

```
fake = FakeBursar(credits="100", costs={"generate": "2"})
async with fake.async_client() as client:
    await client.credits.use(action="generate")
assert fake.transfers == [Transfer("use", Decimal("2.00"))]
```
"""

from bursar.testing._fake import FakeBursar, Fault
from bursar.testing._wallet import Transfer

__all__ = ["FakeBursar", "Fault", "Transfer"]
