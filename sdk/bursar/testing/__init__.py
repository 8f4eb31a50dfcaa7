"""A stand-in for the API in tests of your own: credits, contracts and escrows of one organization, in memory.

```
fake = FakeBursar(credits="100", costs={"generate": "2"})
async with fake.async_client() as client:
    await client.credits.use(action="generate")
assert fake.transfers == [Transfer("use", Decimal("2.00"))]
```
"""

from bursar.testing._credits import Transfer
from bursar.testing._fake import FakeBursar, Fault

__all__ = ["FakeBursar", "Fault", "Transfer"]
