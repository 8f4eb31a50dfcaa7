"""Organizations that pay: each carries out one plan after the other over HTTP, and asks until it is answered."""

import asyncio
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.payers import Payers
from tests.faults.payment_plans import PaymentPlan, money

Json = dict[str, Any]

#: How long a state is waited for that polls must bring about when every webhook is lost.
REACHED_WITHIN_SECONDS = 180.0
ASK_EVERY_SECONDS = 0.4
#: How long evidence waits for a chargeback to be known here; whoever hears of it later hands none in.
EVIDENCE_WITHIN_SECONDS = 6.0
SCALES = {"BTC": 8, "USDC": 6, "TON": 9}
#: What a payer can only do when told where.
TAKES_AN_ACTION = frozenset({"pay", "check_out", "approve", "send_coins"})
SESSION = re.compile(r"cs_\w+")


@dataclass(frozen=True)
class Payer:
    """One paying organization, the agent that works for it, and its stored methods by the key in `STORED`."""

    org: str
    agent: str
    tokens: dict[str, str]
    methods: dict[str, str]


@dataclass
class Paid:
    """A plan that was carried out, by whom, and the payment that came of it."""

    plan: PaymentPlan
    payer: Payer
    payment_id: str
    amount_minor: int | None
    escrow_id: str | None = None
    invoice_id: str | None = None


class PayingClient:
    """Carries out plans for one organization; each verb of a plan is a method here."""

    def __init__(self, http: RetryingClient, payers: Payers, payer: Payer, journal: Journal) -> None:
        self._http, self._payers, self._payer, self._journal = http, payers, payer, journal

    async def live(self, plan: PaymentPlan) -> Paid:
        """Take one payment from the request to the end of its plan; raises NoResponse and NotDone."""
        escrow_id = await self._escrow(plan) if plan.escrow else None
        invoice_id = await self._invoice(plan) if plan.invoiced else None
        path = f"/escrows/{escrow_id}/fund" if escrow_id else plan.path
        path = f"/billing/invoices/{invoice_id}/pay" if invoice_id else path
        body = dict(plan.body)
        if plan.stored:
            body["payment_method"] = self._payer.methods[plan.stored]
        answer = await self._give(plan, path, body, "pay", 200 if escrow_id else 201, plan.refused)
        answer = answer.get("payment") or answer
        payment_id = answer.get("payment_id") or answer["id"]
        paid = Paid(plan, self._payer, payment_id, plan.amount_minor, escrow_id, invoice_id)
        if plan.amount_minor is None:
            seen = await self._http.ask(self._owner, f"/payments/{payment_id}")
            paid.amount_minor = int(Decimal(seen["amount"]) * 10 ** SCALES[plan.currency])
        if plan.acts and plan.acts[0].verb in TAKES_AN_ACTION:
            answer = await self._actionable(paid, answer)
        for number, act in enumerate(plan.acts):
            await getattr(self, f"_{act.verb}")(paid, answer, number, *act.args)
        return paid

    @property
    def _owner(self) -> str:
        return self._payer.tokens["owner"]

    @property
    def _operator(self) -> str:
        return self._payer.tokens["operator"]

    async def _actionable(self, paid: Paid, answer: Json) -> Json:
        """Ask what the payer has to do, where the provider's answer was not there yet."""
        until = time.monotonic() + REACHED_WITHIN_SECONDS
        while not any(answer.get(way) for way in ("client_secret", "approval_url", "url", "deposit")):
            if time.monotonic() > until:
                raise NoResponse(
                    f"{paid.plan.name} ({paid.plan.story}), {paid.payment_id}: nothing to do for the payer"
                )
            await asyncio.sleep(ASK_EVERY_SECONDS)
            answer = await self._http.ask(self._owner, f"/payments/{paid.payment_id}")
        return answer

    async def _reach(self, paid: Paid, path: str, status: str) -> None:
        """Wait until something is in a state, however it comes to know."""
        until = time.monotonic() + REACHED_WITHIN_SECONDS
        while (seen := await self._http.ask(self._owner, path))["status"] != status:
            if time.monotonic() > until:
                raise NoResponse(
                    f"{paid.plan.name} ({paid.plan.story}), {path}: {seen['status']} after "
                    f"{REACHED_WITHIN_SECONDS:.0f} s, not {status}"
                )
            await asyncio.sleep(ASK_EVERY_SECONDS)

    async def _give(
        self,
        plan: PaymentPlan,
        path: str,
        body: Json,
        step: str,
        expected: int,
        refused: str | None = None,
        token: str | None = None,
    ) -> Json:
        """Give a command, one in ten of them twice at once; `refused` is a code that may refuse it."""
        request = Request(token or self._owner, path, body, f"{plan.name}-{step}")
        response = await self._http.command(request, twice=hash_of(request.key) % 10 == 0)
        answer: Json = response.json()
        if response.status_code != expected and (refused is None or answer.get("code") != refused):
            raise NoResponse(f"{plan.name} ({plan.story}), {step}: {response.status_code} {response.text[:400]}")
        return answer

    async def _escrow(self, plan: PaymentPlan) -> str:
        assert plan.escrow is not None
        scale = 6 if plan.escrow == "CREDIT" else 2
        contract = {
            "agent_id": self._payer.agent,
            "title": plan.story,
            "price": f"{plan.goods_minor // 10**scale}.{plan.goods_minor % 10**scale:0{scale}d}",
            "currency": plan.escrow,
            "validation_threshold": "0.80",
            "signatories": ["owner"],
            "required_signatures": 1,
            "deliver_within": "P7D",
            "review_period": "P3D",
        }
        made = await self._give(plan, "/contracts", contract, "award", 201)
        escrow = await self._give(plan, "/escrows", {"contract_id": made["id"]}, "open", 201)
        return str(escrow["id"])

    async def _invoice(self, plan: PaymentPlan) -> str:
        assert plan.amount_minor is not None
        lines = [{"description": plan.story, "unit_amount": money(plan.amount_minor)}]
        body = {"organization_id": self._payer.org, "currency": plan.currency, "lines": lines}
        return str((await self._give(plan, "/billing/invoices", body, "issue", 201, token=self._operator))["id"])

    # The verbs of plans -----------------------------------------------------------------------------------------------

    async def _wait(self, paid: Paid, _answer: Json, _number: int, status: str) -> None:
        await self._reach(paid, f"/payments/{paid.payment_id}", status)

    async def _pay(self, _paid: Paid, answer: Json, _number: int, card: str, ends: str) -> None:
        await self._payers.pay(answer["client_secret"], card, ends)

    async def _authenticate(self, _paid: Paid, answer: Json, _number: int, outcome: str, ends: str) -> None:
        await self._payers.steer_intent("three_d_secure", _intent(answer), outcome, ends)

    async def _end_debit(self, _paid: Paid, answer: Json, _number: int, outcome: str, ends: str) -> None:
        await self._payers.steer_intent("bank_debit", _intent(answer), outcome, ends)

    async def _check_out(self, _paid: Paid, answer: Json, _number: int, card: str) -> None:
        await self._payers.check_out(_session(answer), card)

    async def _approve(self, _paid: Paid, answer: Json, _number: int) -> None:
        await self._payers.approve(_order(answer))

    async def _confirm(self, paid: Paid, _answer: Json, number: int) -> None:
        await self._give(paid.plan, f"/payments/{paid.payment_id}/confirm", {}, f"{number}-confirm", 200)

    async def _cancel(self, paid: Paid, _answer: Json, number: int) -> None:
        await self._give(paid.plan, f"/payments/{paid.payment_id}/cancel", {}, f"{number}-cancel", 200)

    async def _capture(self, paid: Paid, _answer: Json, number: int, amount: str) -> None:
        path = f"/payments/{paid.payment_id}/capture"
        await self._give(paid.plan, path, {"amount": amount}, f"{number}-capture", 200)

    async def _send_coins(self, _paid: Paid, answer: Json, _number: int) -> None:
        await self._payers.send_coins(answer["deposit"])

    async def _refund(self, paid: Paid, _answer: Json, number: int, amount_minor: int | None) -> None:
        body = {} if amount_minor is None else {"amount": money(amount_minor, paid.plan.currency)}
        # Whoever owes an invoice does not take its money back.
        token = self._operator if paid.plan.invoiced else None
        path = f"/payments/{paid.payment_id}/refunds"
        await self._give(paid.plan, path, body, f"{number}-refund", 201, token=token)

    async def _refund_there(self, _paid: Paid, answer: Json, _number: int, amount_minor: int) -> None:
        await self._payers.refund_there(_intent(answer), amount_minor)

    async def _fail_refund(self, _paid: Paid, answer: Json, _number: int) -> None:
        await self._payers.fail_refund(_intent(answer))

    async def _dispute(self, paid: Paid, answer: Json, number: int, outcome: str, with_evidence: bool) -> None:
        dispute = await self._payers.dispute(_intent(answer))
        if with_evidence and (known := await self._known_dispute(paid)):
            path, text = f"/disputes/{known}/evidence", {"text": "It was delivered."}
            await self._give(paid.plan, path, text, f"{number}-evidence", 200, token=self._operator)
        await self._payers.decide(dispute, outcome)

    async def _reverse(self, _paid: Paid, answer: Json, _number: int) -> None:
        await self._payers.reverse(_order(answer))

    async def _settle_escrow(self, paid: Paid, _answer: Json, number: int) -> None:
        path = f"/escrows/{paid.escrow_id}"
        await self._reach(paid, path, "funded")
        artifacts = {"artifacts": [{"uri": f"https://files.test/{paid.plan.name}"}]}
        tokens = self._payer.tokens
        await self._give(paid.plan, f"{path}/delivery", artifacts, f"{number}-deliver", 200, token=tokens["agent"])
        score, judge = {"score": "0.95"}, tokens["validator"]
        await self._give(paid.plan, f"{path}/validation", score, f"{number}-judge", 200, token=judge)

    async def _known_dispute(self, paid: Paid) -> str | None:
        until = time.monotonic() + EVIDENCE_WITHIN_SECONDS
        while time.monotonic() < until:
            seen = await self._http.ask(self._owner, f"/payments/{paid.payment_id}")
            if seen["status"] == "disputed":
                listed = await self._http.ask(self._owner, "/disputes?limit=100")
                return next((each["id"] for each in listed["data"] if each["payment_id"] == paid.payment_id), None)
            await asyncio.sleep(ASK_EVERY_SECONDS)
        return None


def hash_of(key: str) -> int:
    """The same for the same key in every run, unlike `hash`."""
    return sum(key.encode())


def _intent(answer: Json) -> str:
    return str(answer["client_secret"]).partition("_secret_")[0]


def _session(answer: Json) -> str:
    found = SESSION.search(str(answer.get("approval_url") or answer.get("url")))
    assert found is not None, answer
    return found.group()


def _order(answer: Json) -> str:
    return str(answer["approval_url"]).partition("token=")[2].partition("&")[0]
