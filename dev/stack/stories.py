"""The stories that the demo tells: what is agreed, who does what, and what must come of it."""

from dataclasses import dataclass
from typing import Any

FUND = {"source": "credits"}
WORK = {"artifacts": [{"uri": "https://files.example/summary.md", "sha256": "5e" * 32}], "note": "Ready for review"}
#: What a signatory has looked at: the first delivery, which is the event after the opening and the funding.
REVIEWED = {"delivery": 1}
SIGNATORIES = ["procurement", "finance", "legal"]


@dataclass(frozen=True)
class StoryCommand:
    """A command: its label, key, path, body, and the escrow's state after it."""

    words: str
    role: str
    path: str
    body: dict[str, Any]
    status: str


@dataclass(frozen=True)
class Story:
    """A contract from award to settlement; `amounts` are what must have been funded, released, refunded, taken.

    `outside` are the terms that the agent does not accept unasked: then it is asked.
    """

    title: str
    contract: dict[str, Any]
    acts: tuple[StoryCommand, ...]
    amounts: dict[str, str]
    outside: tuple[str, ...] = ()


PAY_IN = StoryCommand("the client pays in from its credits", "client", "fund", FUND, "funded")
DELIVER = StoryCommand("the agent delivers", "agent", "delivery", WORK, "delivered")


def _contract(title: str, price: str, **more: Any) -> dict[str, Any]:
    usual = {
        "currency": "CREDIT",
        "validation_threshold": "0.80",
        "signatories": ["procurement"],
        "required_signatures": 1,
        "deliver_within": "P7D",
        "review_period": "P3D",
    }
    return {"title": title, "price": price, **usual, **more}


STORIES = (
    Story(
        "A validator's score releases the money",
        _contract("Summarise the quarterly report", "50.00"),
        (
            PAY_IN,
            DELIVER,
            StoryCommand(
                "the validator scores 0.92 (0.80 is enough)", "validator", "validation", {"score": "0.92"}, "released"
            ),
        ),
        {"funded": "50.00", "released": "47.50", "refunded": "0.00", "commission": "2.50"},
    ),
    Story(
        "Two of three signatories release it",
        _contract("Translate the handbook", "80.00", signatories=SIGNATORIES, required_signatures=2),
        (
            PAY_IN,
            DELIVER,
            StoryCommand(
                "the validator scores 0.55: not enough", "validator", "validation", {"score": "0.55"}, "delivered"
            ),
            StoryCommand("procurement signs, the first of two", "client", "approvals", REVIEWED, "delivered"),
            StoryCommand("finance signs, the second of two", "finance", "approvals", REVIEWED, "released"),
        ),
        {"funded": "80.00", "released": "76.00", "refunded": "0.00", "commission": "4.00"},
    ),
    Story(
        "A dispute, which the arbiter splits",
        _contract("Label ten thousand pictures", "100.00"),
        (
            PAY_IN,
            DELIVER,
            StoryCommand(
                "the client disputes", "client", "disputes", {"reason": "A third of the labels is wrong"}, "disputed"
            ),
            StoryCommand(
                "the studio brings evidence",
                "studio",
                "disputes/evidence",
                {"note": "The guidelines changed half-way", "artifacts": [{"uri": "https://files.example/mail.eml"}]},
                "disputed",
            ),
            StoryCommand(
                "the arbiter gives the agent 0.60",
                "arbiter",
                "disputes/resolution",
                {"payee_share": "0.60", "note": "Most of the work can be used"},
                "split",
            ),
        ),
        {"funded": "100.00", "released": "57.00", "refunded": "40.00", "commission": "3.00"},
    ),
    Story(
        "The studio gives a part back",
        _contract("Check the references", "40.00"),
        (
            PAY_IN,
            StoryCommand("the studio gives 10.00 back", "studio", "refunds", {"amount": "10.00"}, "funded"),
            DELIVER,
            StoryCommand("the validator scores 0.88", "validator", "validation", {"score": "0.88"}, "released"),
        ),
        {"funded": "40.00", "released": "28.50", "refunded": "10.00", "commission": "1.50"},
    ),
    Story(
        "Terms outside of the agent's listing, which it accepts",
        _contract("Proofread the contract of the year", "30.00", review_period="P10D", evidence_period="P1D"),
        (
            PAY_IN,
            DELIVER,
            StoryCommand("the validator scores 0.95", "validator", "validation", {"score": "0.95"}, "released"),
        ),
        {"funded": "30.00", "released": "28.50", "refunded": "0.00", "commission": "1.50"},
        outside=("review_period", "evidence_period"),
    ),
)
