"""After any operations on intents paid by bank transfer, received money is in exactly one place."""

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from dev.sandbox.stripe import core, operations
from dev.sandbox.stripe.core import Refusal, Sandbox
from dev.sandbox.stripe.store import Store
from tests.lanes import examples
from tests.sandbox.stripe.test_money_conservation import agree

operations.load()

CUSTOMERS = ("automatic", "manual")
METHODS = (None, "pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired")
AMOUNTS = st.sampled_from([100, 300, 700, 1000, 2500])
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(CUSTOMERS), AMOUNTS, st.booleans()),
    st.tuples(st.just("send"), st.sampled_from(CUSTOMERS), AMOUNTS, st.booleans()),
    st.tuples(st.just("change"), AMOUNTS),
    st.tuples(st.just("apply"), st.none() | AMOUNTS),
    st.tuples(st.just("confirm"), st.sampled_from(METHODS)),
    st.tuples(st.just("refund"), st.none() | AMOUNTS),
    st.tuples(st.sampled_from(["cancel", "cancel_refund", "clock"])),
)
# Every run has an intent that is partly paid.
START = [(0, ("ask", "automatic", 1000, True)), (0, ("send", "automatic", 300, False))]


class Driver:
    """Does steps to the intents of one sandbox, each time to the one that `at` picks."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.customers = sandbox, dict[str, str]()

    async def api(self, path: str, params: dict[str, Any], **named: str) -> Any:
        async with self.sandbox.transaction() as ctx:
            return await core.OPERATIONS["post", path](ctx, params, **named)

    async def start(self) -> None:
        for mode in CUSTOMERS:
            params = {"email": "a@example.com", "cash_balance": {"settings": {"reconciliation_mode": mode}}}
            self.customers[mode] = (await self.api("/v1/customers", params))["id"]

    def picked(self, kind: str, at: int) -> dict[str, Any]:
        found = self.sandbox.store.query(kind)
        if not found:
            raise Refusal(404, "nothing", "There is none yet.")
        return found[at % len(found)]

    async def do(self, at: int, step: str, *args: Any) -> None:
        one = "/v1/payment_intents/{intent}"
        if step == "ask":
            await self.ask(*args)
        elif step == "send":
            await self.send(at, *args)
        elif step == "clock":
            await self.sandbox.advance(50 * 86_400)
        elif step == "cancel_refund":
            await self.api("/v1/refunds/{refund}/cancel", {}, refund=self.picked("refund", at)["id"])
        else:
            intent = self.picked("payment_intent", at)["id"]
            amount = {} if not args or args[0] is None else {"amount": args[0]}
            if step == "refund":
                await self.api("/v1/refunds", {"payment_intent": intent, **amount})
            elif step == "cancel":
                await self.api(f"{one}/cancel", {}, intent=intent)
            elif step == "change":
                await self.api(one, amount, intent=intent)
            elif step == "apply":
                await self.api(f"{one}/apply_customer_balance", amount, intent=intent)
            else:
                params = {} if args[0] is None else {"payment_method": args[0]}
                await self.api(f"{one}/confirm", params, intent=intent)

    async def ask(self, customer: str, amount: int, by_transfer: bool) -> None:
        terms = {"funding_type": "bank_transfer", "bank_transfer": {"type": "us_bank_transfer"}}
        params = {
            "amount": amount,
            "currency": "usd",
            "customer": self.customers[customer],
            "allowed_payment_method_types": ["customer_balance", "card"],
            "payment_method_data": {"type": "customer_balance"},
            "payment_method_options": {"customer_balance": terms} if by_transfer else {},
            "confirm": True,
        }
        await self.api("/v1/payment_intents", params)

    async def send(self, at: int, customer: str, amount: int, named: bool) -> None:
        params = {"amount": amount, "currency": "usd"}
        if named:
            params["reference"] = self.picked("payment_intent", at)["id"].removeprefix("pi_")[:12]
        path = "/v1/test_helpers/customers/{customer}/fund_cash_balance"
        await self.api(path, params, customer=self.customers[customer])


def nothing_is_lost(store: Store, customers: dict[str, str]) -> None:
    applied: dict[str, int] = {}
    for mode, customer in customers.items():
        balance, funded = 0, 0
        for line in reversed(store.query("customer_cash_balance_transaction", customer=customer)):
            balance += line["net_amount"]
            assert balance == line["ending_balance"] >= 0
            funded += line["net_amount"] if line["type"] == "funded" else 0
            if line["type"] in ("applied_to_payment", "unapplied_from_payment"):
                intent = line[line["type"]]["payment_intent"]
                applied[intent] = applied.get(intent, 0) - line["net_amount"]
        kept = store.get("sandbox.cash_balance", f"{customer}:cash_balance")
        assert kept is not None
        assert (kept["available"] or {}).get("usd", 0) == balance
        used, waits = 0, False
        for intent in store.query("payment_intent", customer=customer):
            shown = (intent["next_action"] or {}).get("display_bank_transfer_instructions")
            charges = store.query("charge", payment_intent=intent["id"], status="succeeded")
            paid = sum(each["amount"] for each in charges if each["payment_method_details"]["type"] != "card")
            held = intent["amount"] - shown["amount_remaining"] if shown else 0
            assert applied.get(intent["id"], 0) == paid + held
            assert not (paid and held)
            assert shown is None or intent["status"] == "requires_action"
            used, waits = used + paid + held, waits or shown is not None
        assert funded == balance + used
        if mode == "automatic":
            assert not (waits and balance)


async def run(steps: list[tuple[int, tuple[Any, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "stripe.sqlite")
        sandbox = Sandbox(store, check_answers=True)
        driver = Driver(sandbox)
        await driver.start()
        for at, step in [*START, *steps]:
            # A refusal is an answer like any other: what was stored with it has to agree as well.
            with contextlib.suppress(Refusal):
                await driver.do(at, *step)
            nothing_is_lost(store, driver.customers)
            agree(store)
        store.close()


@settings(max_examples=examples(60), deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 3), STEPS), min_size=10, max_size=30))
def test_money_that_came_is_available_or_held_or_charged(steps: list[tuple[int, tuple[Any, ...]]]) -> None:
    with asyncio.Runner() as runner:
        runner.run(run(steps))
