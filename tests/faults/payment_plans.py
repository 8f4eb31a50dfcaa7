"""Planned actions of payers, drawn from the seed before a run, with their expected outcomes.

The expected amounts are worked out here by arithmetic of their own, not by the product's. A cent buys a tenth of a
credit, so everything that is refunded or charged back takes whole numbers of credits' minor units with it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CREDITS_A_CENT = 100_000
RETURN_URL = "https://example.com/billing"
#: A package that costs what its credits cost one by one.
PACKAGE, PACKAGE_CENTS = "pack_100", 1000

VISA, REFUND_FAILS = "pm_card_visa", "pm_card_refundFail"
DECLINED = ("pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds")
ASKS_FIRST = ("pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup")
#: What organizations have stored; the first is their default.
STORED = {"stored": VISA, "stored and declined": "pm_card_chargeCustomerFail"}


@dataclass(frozen=True)
class PlannedAction:
    """One thing that somebody does; `verb` names a method of `PayingClient`."""

    verb: str
    args: tuple[Any, ...] = ()


@dataclass
class PaymentPlan:
    """One payment from the request to its end.

    Attributes:
        path: where it is asked for; empty where an escrow or an invoice asks for it.
        stored: the key in `STORED` of the method that pays at once.
        escrow: what the contract's price is in, for a payment that funds an escrow.
        invoiced: it pays an invoice of `amount_minor`.
        amount_minor: what is charged; None where a rate decides.
        goods_minor: what is bought: credits, or money on the balance.
        acts: what happens after the answer, in order.
        refused: the code of the answer that refuses it.
        net_minor: what of `amount_minor` stays with us in the end; `refunded_minor` and `lost_minor` went.
    """

    name: str
    story: str
    provider: str = "stripe"
    path: str = "/payments"
    body: dict[str, Any] = field(default_factory=dict)
    stored: str | None = None
    escrow: str | None = None
    invoiced: bool = False
    currency: str = "USD"
    amount_minor: int | None = None
    goods_minor: int = 0
    goods: str = "CREDIT"
    acts: list[PlannedAction] = field(default_factory=list)
    refused: str | None = None
    status: str = "succeeded"
    paid: bool = True
    refunded_minor: int = 0
    lost_minor: int = 0

    def then(self, verb: str, *args: Any) -> None:
        self.acts.append(PlannedAction(verb, args))

    def paid_in_the_end(self) -> None:
        self.then("wait", "succeeded")

    def nobody_pays(self, status: str = "cancelled") -> None:
        self.status, self.paid = status, False

    @property
    def goods_kept_minor(self) -> int:
        """Goods that stay with the organization; negative: the part of an invoice that is due again."""
        if not self.paid or self.escrow is not None:
            return 0
        gone = self.refunded_minor + self.lost_minor
        if self.invoiced:
            return -gone  # what was given back is due again
        return self.goods_minor - gone * (CREDITS_A_CENT if self.goods == "CREDIT" else 1)


def money(minor: int, currency: str = "USD") -> str:
    return str(minor) if currency == "JPY" else f"{minor // 100}.{minor % 100:02d}"


def _credits(plan: PaymentPlan, rng: random.Random, **body: Any) -> None:
    """Ask for credits by their number, or for a payment that buys them; both are cents' worth."""
    cents = rng.randrange(100, 20_000)
    plan.amount_minor, plan.goods_minor = cents, cents * CREDITS_A_CENT
    if rng.random() < 0.5:
        plan.path = "/billing/topup"
        plan.body = {"amount": f"{cents // 10}.{cents % 10}", "provider": plan.provider, **body}
    else:
        plan.body = {"amount": money(cents), "currency": "USD", "provider": plan.provider, "purpose": "credits", **body}


def _card(plan: PaymentPlan, rng: random.Random) -> None:
    _credits(plan, rng)
    plan.then("pay", VISA, "succeeded")
    plan.paid_in_the_end()


def _declined_then_paid(plan: PaymentPlan, rng: random.Random) -> None:
    _credits(plan, rng)
    plan.then("pay", rng.choice(DECLINED), "declined")
    plan.then("pay", VISA, "succeeded")
    plan.paid_in_the_end()


def _declined_and_cancelled(plan: PaymentPlan, rng: random.Random) -> None:
    _credits(plan, rng)
    plan.then("pay", rng.choice(DECLINED), "declined")
    plan.then("cancel")
    plan.nobody_pays()


def _three_d_secure(plan: PaymentPlan, rng: random.Random) -> None:
    _credits(plan, rng)
    plan.then("pay", rng.choice(ASKS_FIRST), "requires_action")
    if rng.random() < 0.7:
        plan.then("authenticate", "succeed", "succeeded")
        plan.paid_in_the_end()
    else:
        plan.then("authenticate", "fail", "requires_payment_method")
        plan.then("cancel")
        plan.nobody_pays()


def _bank_debit(plan: PaymentPlan, rng: random.Random) -> None:
    _credits(plan, rng)
    plan.then("pay", "pm_usBankAccount_success", "processing")
    if rng.random() < 0.7:
        plan.then("end_debit", "settle", "succeeded")
        plan.paid_in_the_end()
    else:
        plan.then("end_debit", "fail", "requires_payment_method")
        plan.then("wait", "requires_action")
        plan.then("cancel")
        plan.nobody_pays()


def _checkout(plan: PaymentPlan, rng: random.Random) -> None:
    if rng.random() < 0.5:
        plan.path, plan.body = "/billing/credits/purchase", {"package": PACKAGE, "return_url": RETURN_URL}
        plan.amount_minor, plan.goods_minor = PACKAGE_CENTS, PACKAGE_CENTS * CREDITS_A_CENT
    else:
        _credits(plan, rng, hosted=True, return_url=RETURN_URL)
    plan.then("check_out", rng.choice((VISA, ASKS_FIRST[0])))
    plan.paid_in_the_end()


def _stored(plan: PaymentPlan, rng: random.Random) -> None:
    plan.stored = "stored"
    if rng.random() < 0.5:
        plan.path, plan.body = "/billing/purchase-credits", {"package": PACKAGE}
        plan.amount_minor, plan.goods_minor = PACKAGE_CENTS, PACKAGE_CENTS * CREDITS_A_CENT
    else:
        _credits(plan, rng, off_session=True)
    plan.paid_in_the_end()


def _stored_and_declined(plan: PaymentPlan, rng: random.Random) -> None:
    plan.stored, plan.refused = "stored and declined", "payment.declined"
    _credits(plan, rng, off_session=True)
    plan.nobody_pays("failed")


def _balance(plan: PaymentPlan, rng: random.Random) -> None:
    plan.currency = plan.goods = rng.choice(("EUR", "JPY", "GBP"))
    plan.amount_minor = plan.goods_minor = rng.randrange(500, 50_000)
    amount = money(plan.amount_minor, plan.currency)
    plan.body = {"amount": amount, "currency": plan.currency, "provider": "stripe", "purpose": "balance"}
    plan.then("pay", VISA, "succeeded")
    plan.paid_in_the_end()


def _captured(plan: PaymentPlan, rng: random.Random) -> None:
    """Authorize, and take the whole or a part: what is not taken was never ours."""
    plan.goods = "USD"
    asked = rng.randrange(1000, 20_000)
    taken = rng.choice((asked, rng.randrange(100, asked)))
    plan.amount_minor = plan.goods_minor = taken
    plan.body = {
        "amount": money(asked),
        "currency": "USD",
        "provider": "stripe",
        "purpose": "balance",
        "capture_method": "manual",
    }
    plan.then("pay", VISA, "requires_capture")
    plan.then("wait", "requires_capture")
    plan.then("capture", money(taken))
    plan.paid_in_the_end()


def _escrow_by_card(plan: PaymentPlan, rng: random.Random) -> None:
    plan.escrow = rng.choice(("USD", "CREDIT"))
    plan.path, plan.amount_minor = "", rng.randrange(500, 20_000)
    plan.goods = plan.escrow
    plan.goods_minor = plan.amount_minor * (CREDITS_A_CENT if plan.escrow == "CREDIT" else 1)
    plan.body = {"provider": "stripe"}
    if rng.random() < 0.5:
        plan.stored = "stored"
    else:
        plan.then("pay", VISA, "succeeded")
    plan.paid_in_the_end()
    plan.then("settle_escrow")


def _invoice(plan: PaymentPlan, rng: random.Random) -> None:
    plan.path, plan.invoiced, plan.goods = "", True, "USD"
    plan.amount_minor = plan.goods_minor = rng.randrange(500, 20_000)
    plan.body = {"provider": "stripe"}
    if rng.random() < 0.5:
        plan.stored = "stored"
    else:
        plan.then("pay", VISA, "succeeded")
    plan.paid_in_the_end()


def _escrow_by_credits(plan: PaymentPlan, rng: random.Random) -> None:
    plan.provider, plan.currency, plan.escrow, plan.path = "credits", "CREDIT", "CREDIT", ""
    plan.amount_minor = plan.goods_minor = rng.randrange(1_000_000, 50_000_000)
    plan.body = {"provider": "credits"}
    plan.paid_in_the_end()
    plan.then("settle_escrow")


def _paypal(plan: PaymentPlan, rng: random.Random) -> None:
    plan.provider = "paypal"
    _credits(plan, rng)
    if rng.random() < 0.8:
        plan.then("approve")
        plan.then("confirm")
        plan.paid_in_the_end()
    else:
        plan.then("cancel")
        plan.nobody_pays()


def _crypto(plan: PaymentPlan, rng: random.Random) -> None:
    plan.provider, plan.path = "crypto", "/billing/topup"
    plan.currency = rng.choice(("BTC", "USDC", "TON"))
    cents = rng.randrange(500, 20_000)
    plan.goods_minor = cents * CREDITS_A_CENT
    plan.body = {"amount": f"{cents // 10}.{cents % 10}", "provider": "crypto", "asset": plan.currency}
    plan.then("send_coins")
    plan.paid_in_the_end()


def _cancelled(plan: PaymentPlan, rng: random.Random) -> None:
    hosted = rng.random() < 0.5
    _credits(plan, rng, **({"hosted": True, "return_url": RETURN_URL} if hosted else {}))
    plan.then("cancel")
    plan.nobody_pays()


Tell = Callable[[PaymentPlan, random.Random], None]

STORIES: dict[str, tuple[int, Tell]] = {
    "card": (8, _card),
    "card declined, another paid": (3, _declined_then_paid),
    "card declined, cancelled": (2, _declined_and_cancelled),
    "3-D Secure": (4, _three_d_secure),
    "bank debit": (4, _bank_debit),
    "hosted checkout": (5, _checkout),
    "stored method": (5, _stored),
    "stored method declined": (2, _stored_and_declined),
    "balance in another currency": (3, _balance),
    "authorized and captured": (3, _captured),
    "escrow by card": (4, _escrow_by_card),
    "escrow by credits": (3, _escrow_by_credits),
    "invoice": (4, _invoice),
    "PayPal": (5, _paypal),
    "coins": (4, _crypto),
    "cancelled": (2, _cancelled),
}


def _refund_part(plan: PaymentPlan, rng: random.Random) -> None:
    assert plan.amount_minor is not None
    plan.refunded_minor = rng.randrange(1, plan.amount_minor)
    plan.then("refund", plan.refunded_minor)
    plan.status = "partially_refunded"


def _refund_in_parts(plan: PaymentPlan, rng: random.Random) -> None:
    assert plan.amount_minor is not None
    plan.then("refund", rng.randrange(1, plan.amount_minor))
    plan.then("refund", None)
    plan.refunded_minor, plan.status = plan.amount_minor, "refunded"


def _refund_all(plan: PaymentPlan, rng: random.Random) -> None:
    assert plan.amount_minor is not None
    plan.then("refund", None)
    plan.refunded_minor, plan.status = plan.amount_minor, "refunded"


def _refund_there(plan: PaymentPlan, rng: random.Random) -> None:
    """Somebody refunds at the provider's own site."""
    assert plan.amount_minor is not None
    plan.refunded_minor = rng.choice((plan.amount_minor, rng.randrange(1, plan.amount_minor)))
    plan.then("refund_there", plan.refunded_minor)
    plan.status = "refunded" if plan.refunded_minor == plan.amount_minor else "partially_refunded"


def _refund_fails(plan: PaymentPlan, rng: random.Random) -> None:
    """The refund does not reach the payer: the money comes back, and all is as before."""
    plan.acts = [PlannedAction("pay", (REFUND_FAILS, "succeeded")) if act.verb == "pay" else act for act in plan.acts]
    plan.then("refund", None)
    plan.then("fail_refund")


def _dispute_won(plan: PaymentPlan, rng: random.Random) -> None:
    plan.then("dispute", "won", rng.random() < 0.5)


def _dispute_lost(plan: PaymentPlan, rng: random.Random) -> None:
    assert plan.amount_minor is not None
    plan.then("dispute", "lost", rng.random() < 0.5)
    plan.lost_minor, plan.status = plan.amount_minor, "charged_back"


def _reversed(plan: PaymentPlan, rng: random.Random) -> None:
    """PayPal takes a capture back."""
    assert plan.amount_minor is not None
    plan.then("reverse")
    plan.lost_minor, plan.status = plan.amount_minor, "charged_back"


SEQUELS: dict[str, tuple[int, Tell]] = {
    "part refunded": (3, _refund_part),
    "refunded in parts": (2, _refund_in_parts),
    "refunded": (2, _refund_all),
    "refunded at the provider": (1, _refund_there),
    "refund failing late": (2, _refund_fails),
    "dispute won": (2, _dispute_won),
    "dispute lost": (2, _dispute_lost),
    "reversed": (2, _reversed),
}
#: What can follow which payment; what is not named stays as it is.
OF_CARDS = ("part refunded", "refunded in parts", "refunded", "refunded at the provider", "dispute won", "dispute lost")
FOLLOW = {
    "card": (*OF_CARDS, "refund failing late"),
    "card declined, another paid": OF_CARDS[:3],
    "3-D Secure": OF_CARDS,
    "hosted checkout": ("part refunded", "refunded in parts", "refunded"),
    "stored method": ("part refunded", "refunded in parts", "refunded"),
    "balance in another currency": OF_CARDS,
    "authorized and captured": ("part refunded", "refunded"),
    "invoice": ("part refunded", "refunded in parts", "refunded"),
    "PayPal": ("part refunded", "refunded in parts", "refunded", "reversed"),
}
#: How many of the payments that can be are refunded or disputed.
SHARE = 0.5


def draw_payments(seed: int, count: int) -> list[PaymentPlan]:
    """Draw the plans of a run; the first ones cover every story."""
    rng = random.Random(f"{seed} payments")
    weights = [weight for weight, _ in STORIES.values()]
    stories = [*STORIES, *rng.choices(list(STORIES), weights, k=max(0, count - len(STORIES)))][:count]
    rng.shuffle(stories)
    plans, told = [], set[str]()
    for number, story in enumerate(stories):
        plan = PaymentPlan(f"p{number}", story)
        STORIES[story][1](plan, rng)
        sequels = FOLLOW.get(story, ())
        if plan.paid and sequels and rng.random() < SHARE:
            choice = [name for name in sequels if name not in told] or sequels
            sequel = rng.choices(choice, [SEQUELS[name][0] for name in choice])[0]
            told.add(sequel)
            SEQUELS[sequel][1](plan, rng)
            plan.story = f"{story}, {sequel}"
        plans.append(plan)
    return plans
