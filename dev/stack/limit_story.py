"""The story of an agent that uses credits until its limit stops it, and of a person who raises the limit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dev.stack.narrator import Narrator
from domain.common.ids import report_workflow_id
from domain.insight.report import ReportSchedule, period_at

TITLE = "An agent runs into its limit, and a person raises it"
AGENT = "researcher"
LIMIT, RAISED = "5.00", "8.00"
REPORT = "Spending by project"


class LimitStory:
    """Tells it with an agent of its own, whose limit is not used otherwise."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        agent = await narrator.post("client", "/agents", {"name": "Researcher"})
        key = {"principal": f"{AGENT}-{agent['id'][-6:]}", "role": "agent", "agent_id": agent["id"]}
        narrator.keys[AGENT] = (await narrator.post("client", "/api-keys", key))["secret"]
        control = await narrator.post(
            "client",
            "/spend-controls",
            {"subject": {"type": "agent", "id": agent["id"]}, "limits": [{"window": "day", "amount": LIMIT}]},
        )
        narrator.say(f"   the agent may spend {LIMIT} credits a day ({control['id']})")
        for call in range(1, 6):
            used = await narrator.post(AGENT, "/credits/use", {"action": "api_call"})
            narrator.expect(f"cost of call {call}", used["amount"], "1.00")
        narrator.say("   five calls of its tool are charged, 1.00 each, by the transaction that checks the limit")
        refused = await narrator.be_refused(AGENT, "/credits/use", {"action": "api_call"}, "spend.limit_exceeded")
        left = (refused["window"], refused["limit"], refused["remaining"])
        narrator.expect("what the refusal says", left, ("day", LIMIT, "0.00"))
        narrator.say(f"   the sixth is refused: {refused['remaining']} of {LIMIT} left, until {refused['resets_at']}")
        await self._raise(control["id"])
        await self._go_on(agent["id"])
        await self._report()

    async def _raise(self, control_id: str) -> None:
        change = {"limits": [{"window": "day", "amount": RAISED}], "reason": "The report is due today"}
        raised = await self._narrator.put("client", f"/spend-controls/{control_id}", change)
        self._narrator.expect("version of the control", raised["version"], 2)
        self._narrator.say(f"   procurement raises the limit to {RAISED}; what was spent stays counted")

    async def _go_on(self, agent_id: str) -> None:
        narrator = self._narrator
        task = {"amount": "3.00", "action": "research", "run_id": "report"}
        held = await narrator.post(AGENT, "/credits/reserve", task)
        await narrator.be_refused(AGENT, "/credits/use", {"action": "api_call"}, "spend.limit_exceeded")
        narrator.say("   it sets 3.00 aside for a task of several steps, which counts in the limit at once")
        path = f"/credits/reservations/{held['id']}/capture"
        await narrator.post(AGENT, path, {"amount": "1.25", "final_capture": False})
        last = await narrator.post(AGENT, path, {"amount": "0.50"})
        narrator.expect("what the last capture gives back", (last["captured"], last["released"]), ("1.75", "1.25"))
        narrator.say(f"   two steps used {last['captured']}, and the last one gives {last['released']} back")
        summary = await narrator.get("client", "/credits/usage/summary")
        used = next(Decimal(one["amount"]) for one in summary["by_agent"] if one["key"] == agent_id)
        narrator.expect("what the agent used", used, Decimal("6.75"))
        narrator.say(f"   the client reads what the agent used: {used} credits")
        # From the day before, because a demo may pass midnight.
        yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
        question = {
            "metrics": ["spending", "spends"],
            "where": {"agent": [agent_id]},
            "from": yesterday,
            "by": ["action"],
        }
        answer = await narrator.post("client", "/analytics/query", question)
        figures = {one["metric"]: one["value"] for one in answer["totals"]}
        narrator.expect("what the metrics say of it", figures, {"spending": str(used), "spends": "6"})
        actions = ", ".join(f"{row['group']['action']} {row['values'][0]['value']}" for row in answer["rows"])
        narrator.say(f"   the metrics say the same a moment later, by action: {actions}")

    async def _report(self) -> None:
        """Create a weekly report, and generate a past one now."""
        narrator = self._narrator
        wanted = {"name": REPORT, "template": "weekly_projects", "recipients": ["procurement"]}
        found = [each for each in (await narrator.get("client", "/reports"))["data"] if each["name"] == REPORT]
        report = found[0] if found else await narrator.post("client", "/reports", wanted)
        # Last week may still wait for what is booked late.
        week = period_at(ReportSchedule.WEEKLY, datetime.now(UTC) - timedelta(days=14), ZoneInfo("UTC")).name
        there = f"/reports/{report['id']}/runs"
        await narrator.post("client", there, {"period": week})
        runs = await narrator.wait_for("run of the report", "client", there, lambda page: bool(page["data"]))
        narrator.expect("who was notified of the report", runs["data"][0]["notified"], ["procurement"])
        narrator.say(f"   a report of each week is kept as a file from now on; that of {week} is made at once")
        narrator.say(f"   run  {narrator.running.run_url(report_workflow_id(report['id'], week))}")
