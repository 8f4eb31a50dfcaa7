"""The story of a card tester that is blocked, an honest payer that passes, and a payment that waits for a case."""

import secrets
from typing import Any

from dev.stack.narrator import Json, Narrator
from domain.common.ids import risk_case_workflow_id

TITLE = "A card tester is blocked, and a large payment waits for an operator"
TESTER = "tester"
#: Attempts that pass, and that are tried.
LIMIT, TRIED = 3, 5
LARGE = "940.00"


class RiskStory:
    """Tells it with rules of its own, which it ends. They name devices, which no other story has."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._run = secrets.token_hex(3)

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        tests = f"device_attempts_1h - device_paid_1h > {LIMIT}"
        rules = [
            await self._rule("tests_cards", tests, "block"),
            await self._rule("large", "amount >= 94000 && device_attempts_1h > 0", "review"),
        ]
        narrator.say("   an operator tests two rules on past decisions, and switches them on")
        try:
            await self._test_cards()
            await self._pay_much()
        finally:
            for name, version in rules:
                await self._switch(name, version, "off")

    async def _rule(self, name: str, expression: str, action: str) -> tuple[str, int]:
        """Write a rule, backtest it and switch it on; return its name and version."""
        narrator, name = self._narrator, f"demo_{name}_{self._run}"
        rule: Json = {"name": name, "points": ["topup"], "expression": expression, "action": action}
        await narrator.post("operator", "/risk/rules", {**rule, "sentence": "A rule of the demo."})
        return name, await self._switch(name, 1, "on")

    async def _switch(self, name: str, version: int, mode: str) -> int:
        path = f"/risk/rules/{name}/activate"
        found = await self._narrator.post("operator", path, {"mode": mode, "version": version})
        return int(found["version"])

    async def _test_cards(self) -> None:
        narrator, device = self._narrator, f"stolen-cards-{self._run}"
        org = await narrator.post("operator", "/organizations", {"name": f"Tester {self._run}"})
        key = {"principal": TESTER, "role": "owner", "organization_id": org["id"]}
        narrator.keys[TESTER] = (await narrator.post("operator", "/api-keys", key))["secret"]
        codes = [await self._try(TESTER, device, "1.00") for _ in range(TRIED)]
        narrator.expect("what the card tester gets", codes, ["passed"] * LIMIT + ["risk.blocked"] * (TRIED - LIMIT))
        narrator.say(f"   of {TRIED} attempts with one card after the other {LIMIT} pass; the others are blocked")
        honest = await self._try("client", f"office-{self._run}", "12.00")
        narrator.expect("what the honest payer gets", honest, "passed")
        narrator.say("   an honest payer, on another device, notices nothing")

    async def _try(self, role: str, device: str, amount: str) -> str:
        body = {"amount": amount, "currency": "USD", "provider": "stripe", "purpose": "credits"}
        answer = await self._narrator.send(role, "/payments", body, headers={"Bursar-Device": device})
        return "passed" if answer.status_code == 201 else str(answer.json().get("code"))

    async def _pay_much(self) -> None:
        """Pay so much that a case decides, release it, and repeat the payment under its key."""
        narrator, key = self._narrator, self._narrator.new_key()
        device = {"Bursar-Device": f"office-{self._run}"}
        body: Any = {"amount": LARGE, "currency": "USD", "provider": "stripe", "purpose": "credits"}
        waiting = await narrator.send("client", "/payments", body, key=key, headers=device)
        problem = waiting.json()
        narrator.expect("a large payment", (waiting.status_code, problem.get("code")), (202, "risk.in_review"))
        case_id = problem["case_id"]
        narrator.say(f"   a payment of {LARGE} has not taken place: {case_id} decides")
        narrator.say(f"   run  {narrator.running.run_url(risk_case_workflow_id(case_id))}")
        seen = await narrator.get("client", f"/risk/cases/{case_id}")
        narrator.expect("the reason that the payer sees", (seen["reason"], seen["file"]), ("unusual_payment", None))
        decision = {"result": "release", "reason": "The client announced a large project."}
        decided = await narrator.post("operator", f"/risk/cases/{case_id}/decide", decision)
        narrator.expect("how the case is decided", decided["result"], "release")
        paid = await narrator.send("client", "/payments", body, key=key, headers=device)
        narrator.expect("the same request, repeated", paid.status_code, 201)
        narrator.say("   an operator releases the case, and the same request, repeated, is done")
