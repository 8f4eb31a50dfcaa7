"""After any plan changes, each period is billed for its used part, and invoices add up."""

import asyncio
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from dev.sandbox.stripe import core, operations
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.store import Store
from tests.lanes import examples
from tests.sandbox.stripe.billing import DAY, moment

operations.load()

CARDS = ["pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"]
STEPS = st.tuples(
    st.integers(1, 25 * DAY),
    st.sampled_from([500, 2900, 9900, 29900]),
    st.integers(1, 7),
    st.sampled_from(["create_prorations", "always_invoice"]),
    st.sampled_from(CARDS),
)


class Driver:
    """Changes one subscription on a test clock, and remembers what it cost from when to when."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.clock = ""
        self.customer = ""
        self.subscription: dict[str, Any] = {}
        self.costs: list[tuple[int, int]] = []

    async def api(self, method: str, path: str, params: dict[str, Any], **named: str) -> dict[str, Any]:
        async with self.sandbox.transaction() as ctx:
            answer: dict[str, Any] = await core.OPERATIONS[method, path](ctx, params, **named)
            return answer

    async def price(self, amount: int) -> str:
        made = {"currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
        return str((await self.api("post", "/v1/prices", made | {"product_data": {"name": "Plan"}}))["id"])

    async def begin(self, at: int) -> None:
        async with self.sandbox.transaction() as ctx:
            await core.CONTROLS["billing"](ctx, {"retry_days": [1], "after_retries": "past_due"})
        self.clock = (await self.api("post", "/v1/test_helpers/test_clocks", {"frozen_time": at}))["id"]
        self.customer = (await self.api("post", "/v1/customers", {"test_clock": self.clock}))["id"]
        await self.pay_by("pm_card_visa")
        params = {"customer": self.customer, "items": [{"price": await self.price(2900)}]}
        self.subscription = await self.api("post", "/v1/subscriptions", params)
        self.costs.append((at, 2900))

    async def pay_by(self, card: str) -> None:
        attach = "/v1/payment_methods/{payment_method}/attach"
        method = await self.api("post", attach, {"customer": self.customer}, payment_method=card)
        settings = {"invoice_settings": {"default_payment_method": method["id"]}}
        await self.api("post", "/v1/customers/{customer}", settings, customer=self.customer)

    async def advance(self, to: int) -> None:
        path = "/v1/test_helpers/test_clocks/{test_clock}/advance"
        await self.api("post", path, {"frozen_time": to}, test_clock=self.clock)
        # Each step orders the next one for the present second, which may be a later one than that asked for here.
        while await self.sandbox.run_due(self.sandbox.now()):
            pass

    async def change(self, at: int, amount: int, quantity: int, behavior: str) -> None:
        item = {"id": self.subscription["items"]["data"][0]["id"], "price": await self.price(amount)}
        params = {"items": [item | {"quantity": quantity}], "proration_behavior": behavior}
        one = "/v1/subscriptions/{subscription}"
        self.subscription = await self.api("post", one, params, subscription=self.subscription["id"])
        self.costs.append((at, amount * quantity))


def used(costs: list[tuple[int, int]], begin: int, end: int) -> Fraction:
    """Returns what a period cost, from what each second of it cost."""
    total = Fraction(0)
    for index, (start, cost) in enumerate(costs):
        until = costs[index + 1][0] if index + 1 < len(costs) else end
        seconds = min(until, end) - max(start, begin)
        total += Fraction(cost * max(0, seconds), end - begin)
    return total


def add_up(store: Store) -> None:
    left = 0
    for invoice in store.query("invoice"):
        assert invoice["total"] == sum(line["amount"] for line in invoice["lines"]["data"])
        if invoice["status"] == "draft":
            continue
        left += invoice["ending_balance"] - invoice["starting_balance"]
        assert invoice["starting_balance"] + invoice["total"] == invoice["amount_due"] + invoice["ending_balance"]
        assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["amount_due"]
        if invoice["amount_paid"]:
            (payment,) = store.query("invoice_payment", invoice=invoice["id"])
            intent = store.get("payment_intent", payment["payment"]["payment_intent"])
            assert intent is not None
            assert intent["amount_received"] == invoice["amount_paid"]
    assert store.query("customer")[0]["balance"] == left


async def run(start: int, steps: list[tuple[int, int, int, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "stripe.sqlite")
        driver, now = Driver(Sandbox(store, check_answers=True)), start
        await driver.begin(start)
        for seconds, amount, quantity, behavior, card in steps:
            now += seconds
            await driver.advance(now)
            await driver.pay_by(card)
            await driver.change(now, amount, quantity, behavior)
            add_up(store)
        ends = driver.subscription["items"]["data"][0]["current_period_end"]
        lines = [line for invoice in store.query("invoice") for line in invoice["lines"]["data"]]
        lines += store.query("invoiceitem", invoice=None)
        whole = {line["period"]["end"]: line["period"]["start"] for line in lines if not is_proration(line)}
        assert max(whole) == ends
        for end, begin in whole.items():
            billed = [line["amount"] for line in lines if line["period"]["end"] == end]
            # Each line is rounded once, by half a unit at most.
            assert abs(sum(billed) - used(driver.costs, begin, end)) <= Fraction(len(billed), 2)
        store.close()


def is_proration(line: dict[str, Any]) -> bool:
    if line["object"] == "invoiceitem":
        return bool(line["proration"])
    return bool(line["parent"]["subscription_item_details"]["proration"])


@settings(max_examples=examples(12), deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["2027-01-31", "2028-02-29T23:59", "2027-06-15T12:00"]), st.lists(STEPS, min_size=3, max_size=8))
def test_each_period_is_billed_what_was_used_of_it(at: str, steps: list[tuple[int, int, int, str, str]]) -> None:
    with asyncio.Runner() as runner:
        runner.run(run(moment(at), steps))
