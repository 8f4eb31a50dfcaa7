"""How badly providers fare during a run, drawn from the seed: webhooks lost, doubled, shuffled, late; answers lost."""

import random
from collections import Counter
from typing import Any

import httpx2

from dev.stack.sandboxes import Sandboxes

Json = dict[str, Any]

#: Shares of what changes something at Stripe that go wrong, by how they do. Most of it is done before it goes wrong.
FAULTS = {
    "timeout_after_commit": 0.05,
    "close_after_commit": 0.03,
    "500_after_commit": 0.03,
    "500_stored": 0.02,
    "timeout_before": 0.02,
    "500": 0.02,
    "429": 0.03,
}
#: Something of each of the chains' services that can be asked for.
CHAINS = {
    "btc": "btc/api/blocks/tip/height",
    "evm": "evm",
    "ton": "ton/api/v3/masterchainInfo",
    "rates": "rates/v2/exchange-rates",
}
DROPPED = (0.1, 0.25, 0.5)
TIMEOUT_SECONDS = 60.0


class Outages:
    """Changes the conditions of the sandboxes, and puts them back after one was killed, which forgets them."""

    def __init__(self, sandboxes: Sandboxes, seed: int) -> None:
        self._stripe = f"{sandboxes.dev['stripe_api_base']}/_control"
        self._paypal = f"{sandboxes.dev['paypal_api_base']}/_control"
        self._chains = f"{sandboxes.dev['chains_url']}/_control"
        self._rng = random.Random(f"{seed} weather")
        self._http = httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS)
        self._webhooks: Json = {}
        self.changes = 0
        self.troubles: Counter[str] = Counter()

    async def close(self) -> None:
        await self._http.aclose()

    async def change(self) -> None:
        """Draw other conditions for all sandboxes."""
        rng = self._rng
        self.changes += 1
        self._webhooks = {
            "drop": rng.choice(DROPPED),
            "duplicate": rng.randint(0, 2),
            "reorder": rng.choice((0, 500, 3000)),
            "delay_ms": rng.choice((0, 200, 2000)),
            "seed": rng.randrange(1_000_000),
        }
        await self.restore("stripe")
        doubling, late = rng.randint(0, 2), rng.choice((0, 1))
        await self._post(
            f"{self._paypal}/webhooks",
            {"drop": rng.randint(0, 3), "duplicate": doubling, "delay_seconds": late, "reorder": rng.random() < 0.5},
        )
        fault = rng.choice(("timeout_after_commit", "error_500", "error_429", "timeout_before"))
        await self._post(f"{self._paypal}/faults", {"fault": fault, "count": 1, "path": "/v2/"})
        for service in ("btc", "evm", "ton", "rates"):
            await self._post(f"{self._chains}/faults", {"service": service, "kind": rng.choice(("500", "garbage"))})

    async def restore(self, part: str) -> None:
        """Restore the conditions that a restarted sandbox has lost; other sandboxes are unchanged."""
        if part == "stripe" and self._webhooks:
            await self._post(f"{self._stripe}/webhooks", self._webhooks)
            await self._post(f"{self._stripe}/faults", {})
            for mode, share in FAULTS.items():
                seed = self._rng.randrange(1_000_000)
                fault = {"mode": mode, "times": share, "method": "POST", "path": "/v1/", "seed": seed}
                await self._post(f"{self._stripe}/faults", fault)

    async def clear(self) -> None:
        """Make it all well; what was dropped stays dropped, what is on its way goes now."""
        self._webhooks = {}
        await self._must(f"{self._stripe}/webhooks", {})
        await self._must(f"{self._stripe}/faults", {})
        fair = {"drop": 0, "duplicate": 0, "delay_seconds": 0, "reorder": False, "paused": False}
        await self._must(f"{self._paypal}/webhooks", fair)
        await self._must(f"{self._paypal}/faults", {"fault": "error_500", "count": 0})
        for service, path in CHAINS.items():
            # The chains have their failures in a queue that nothing but a request shortens.
            for _ in range(self.changes):
                answer = await self._http.get(f"{self._chains.removesuffix('/_control')}/{path}")
                if service == "evm" or answer.status_code != 200 or answer.text.startswith('{"result": [[['):
                    continue
                break

    async def flush(self) -> int:
        """Send all waiting webhooks of Stripe, and return how many it gave up or dropped."""
        states = await self._must(f"{self._stripe}/webhooks/flush", {}, patience=120.0)
        return int(states.get("waiting", 0))

    async def deliveries(self) -> Counter[str]:
        """Count Stripe's webhooks by outcome."""
        return Counter((await self._must(f"{self._stripe}/state", {}))["deliveries"])

    async def _must(self, url: str, body: Json, *, patience: float = TIMEOUT_SECONDS) -> Json:
        response = await self._http.post(url, json=body, timeout=patience)
        response.raise_for_status()
        answer: Json = response.json()
        return answer

    async def _post(self, url: str, body: Json) -> None:
        """Set a condition; a dead sandbox gets it when it is back, or with the next change."""
        try:
            await self._must(url, body)
        except httpx2.HTTPError as error:
            self.troubles[type(error).__name__] += 1
