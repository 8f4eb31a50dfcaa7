"""After any operations in any order, the figures of each payment agree with each other and with the balance."""

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

operations.load()

METHODS = [
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
    "pm_usBankAccount_dispute",
]
AMOUNTS = st.sampled_from([1, 50, 99, 700, 1000])
STEPS = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from(METHODS), st.sampled_from(["automatic", "automatic_async", "manual"])),
    st.tuples(st.sampled_from(["capture", "refund"]), st.none() | AMOUNTS),
    st.tuples(st.sampled_from(["refund_end", "dispute", "dispute_close"]), st.booleans()),
    st.one_of(
        st.tuples(st.just("confirm"), st.sampled_from(METHODS)),
        st.tuples(st.sampled_from(["three_d_secure", "bank_debit"]), st.booleans()),
        st.tuples(
            st.just("evidence"),
            st.sampled_from(["winning_evidence", "losing_evidence", "escalate_inquiry_evidence"]),
        ),
        st.tuples(st.just("clock"), st.sampled_from([0, 3600, 86_400, 5 * 86_400, 10 * 86_400])),
        st.tuples(st.just("cancel")),
    ),
)
UNDONE = ("failed", "canceled")
# Every run has a payment to refund and to dispute, and one to capture.
START = [(0, ("pay", "pm_card_visa", "automatic")), (0, ("pay", "pm_card_visa", "manual"))]


class Driver:
    """Does steps to the intents of one sandbox, each time to the one that `at` picks, as a caller would."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def api(self, method: str, path: str, params: dict[str, Any], **named: str) -> None:
        async with self.sandbox.transaction() as ctx:
            await core.OPERATIONS[method, path](ctx, params, **named)

    async def control(self, path: str, **body: Any) -> None:
        async with self.sandbox.transaction() as ctx:
            await core.CONTROLS[path](ctx, body)

    async def do(self, at: int, step: str, *args: Any) -> None:
        store = self.sandbox.store
        if step == "clock":
            await self.sandbox.advance(args[0])
            return
        if step == "pay":
            params = {"amount": 1000, "currency": "usd", "payment_method": args[0], "capture_method": args[1]}
            params |= {"confirm": True, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
            await self.api("post", "/v1/payment_intents", params)
            return
        intents = store.query("payment_intent")
        intent = intents[at % len(intents)]["id"] if intents else ""
        amount = {} if not args or args[0] is None else {"amount": args[0]}
        one = "/v1/payment_intents/{intent}"
        if step == "confirm":
            params = {"payment_method": args[0], "return_url": "https://example.com"}
            await self.api("post", f"{one}/confirm", params, intent=intent)
        elif step == "capture":
            params = {"amount_to_capture": args[0]} if amount else {}
            await self.api("post", f"{one}/capture", params, intent=intent)
        elif step == "cancel":
            await self.api("post", f"{one}/cancel", {}, intent=intent)
        elif step == "refund":
            await self.api("post", "/v1/refunds", {"payment_intent": intent, **amount})
        elif step == "dispute":
            charges = store.query("charge", payment_intent=intent)
            if charges:
                await self.control("dispute", charge=charges[0]["id"], inquiry=args[0])
        elif step in ("three_d_secure", "bank_debit"):
            good, bad = ("succeed", "fail") if step == "three_d_secure" else ("settle", "fail")
            await self.control(step, payment_intent=intent, outcome=good if args[0] else bad)
        else:
            await self.end(at, step, args[0])

    async def end(self, at: int, step: str, how: Any) -> None:
        found = self.sandbox.store.query("refund" if step == "refund_end" else "dispute")
        if not found:
            return
        id = found[at % len(found)]["id"]
        if step == "refund_end":
            await self.control("refund", refund=id, outcome="succeed" if how else "fail")
        elif step == "evidence":
            await self.api("post", "/v1/disputes/{dispute}", {"evidence": {"uncategorized_text": how}}, dispute=id)
        else:
            await self.control("dispute/close", dispute=id, outcome="won" if how else "lost")


def agree(store: Store) -> None:
    lines = store.query("balance_transaction")
    by_id = {line["id"]: line for line in lines}
    moved: dict[str, int] = {}
    for line in lines:
        assert line["net"] == line["amount"] - line["fee"]
        assert sum(each["amount"] for each in line["fee_details"]) == line["fee"]
        moved[line["source"]] = moved.get(line["source"], 0) + line["amount"]
    expected: dict[str, int] = {}
    for intent in store.query("payment_intent"):
        captured = sum(charge["amount_captured"] for charge in store.query("charge", payment_intent=intent["id"]))
        assert intent["amount_received"] == captured <= intent["amount"]
        assert (intent["status"] == "succeeded") == (captured > 0)
        assert (intent["amount_capturable"] > 0) == (intent["status"] == "requires_capture")
    for charge in store.query("charge"):
        refunds = [each for each in store.query("refund", charge=charge["id"]) if each["status"] not in UNDONE]
        given_back = sum(each["amount"] for each in refunds if each["balance_transaction"])
        assert charge["amount_refunded"] == sum(each["amount"] for each in refunds) <= charge["amount"]
        assert charge["refunded"] == (charge["amount_refunded"] == charge["amount"])
        assert given_back <= charge["amount_captured"]
        if charge["captured"]:
            assert by_id[charge["balance_transaction"]]["amount"] == charge["amount_captured"]
            expected[charge["id"]] = charge["amount_captured"]
    for refund in store.query("refund"):
        if refund["balance_transaction"]:
            expected[refund["id"]] = 0 if refund["status"] in UNDONE else -refund["amount"]
    for dispute in store.query("dispute"):
        taken = dispute["status"] in ("needs_response", "under_review", "lost")
        assert sum(line["amount"] for line in dispute["balance_transactions"]) == (-dispute["amount"] if taken else 0)
        if dispute["balance_transactions"]:
            expected[dispute["id"]] = -dispute["amount"] if taken else 0
    assert moved == expected


async def run(steps: list[tuple[int, tuple[Any, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "stripe.sqlite")
        sandbox = Sandbox(store, check_answers=True)
        driver = Driver(sandbox)
        for at, step in [*START, *steps]:
            # A refusal is an answer like any other: what was stored with it has to agree as well.
            with contextlib.suppress(Refusal):
                await driver.do(at, *step)
            agree(store)
        async with sandbox.transaction() as ctx:
            balance = await core.OPERATIONS["get", "/v1/balance"](ctx, {})
        held = sum(each["amount"] for each in (*balance["available"], *balance["pending"]))
        assert held == sum(line["net"] for line in store.query("balance_transaction"))
        store.close()


@settings(max_examples=examples(100), deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 1), STEPS), min_size=12, max_size=40))
def test_figures_agree_after_any_sequence_of_operations(steps: list[tuple[int, tuple[Any, ...]]]) -> None:
    with asyncio.Runner() as runner:
        runner.run(run(steps))
