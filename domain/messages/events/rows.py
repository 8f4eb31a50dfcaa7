"""Event types that triggers write, see `repositories/sql/messages/event_facts.sql`.

They cover objects whose state several statements change, and the ledger, which only functions of the database write.
"""

from collections.abc import Sequence

from domain.billing.invoice.state import InvoiceStatus, PausedFor
from domain.marketplace.offer import OfferModel
from domain.messages.alert.life import Severity
from domain.messages.events import (
    EventType,
    amount_field,
    asset_field,
    boolean_field,
    code_field,
    enum_field,
    enum_list_field,
    external_id_field,
    id_field,
    time_field,
)

_TEXT = "2.50"

_INVOICE = {
    "invoice_id": id_field("inv", "The invoice."),
    "external_id": external_id_field(),
    "status": enum_field("The invoice's status.", InvoiceStatus),
    "currency": asset_field("What the amounts are in.", "USD"),
    "total": amount_field("The total, including tax."),
    "tax_amount": amount_field("The tax included.", "0.00"),
    "paid_amount": amount_field("The amount paid.", "0.00"),
    "due_amount": amount_field("The amount due."),
    "paused_for": enum_field("Why collection is paused after the invoice became due again.", PausedFor, nullable=True),
    "due_at": time_field("When it is due."),
}
_INVOICES = (
    ("created", InvoiceStatus.DRAFT, "An invoice was drafted; it can still change."),
    ("finalized", InvoiceStatus.OPEN, "An invoice was issued."),
    ("paid", InvoiceStatus.PAID, "Nothing of the invoice is due any more."),
    ("reopened", InvoiceStatus.OPEN, "A refund or a chargeback made a settled invoice due again."),
    ("voided", InvoiceStatus.VOID, "The invoice was voided."),
    ("marked_uncollectible", InvoiceStatus.UNCOLLECTIBLE, "The amount due was given up as uncollectible."),
    ("deleted", InvoiceStatus.DRAFT, "A draft was discarded."),
)

_PURCHASE = {
    "purchase_id": id_field("pur", "The purchase."),
    "agent_id": id_field("agt", "The agent that was bought."),
    "role": enum_field("The organization's role in the purchase.", ("buyer", "seller")),
    "model": enum_field(
        "How the agent is sold.", [OfferModel.MONTHLY, *(each for each in OfferModel if each is not OfferModel.MONTHLY)]
    ),
    "status": enum_field("The purchase's status.", ("active", "suspended", "refunded", "ended")),
    "currency": code_field("The currency of the price; null if it was free.", "USD", nullable=True),
    "price": amount_field("The price paid; null if it was free.", "9.99", nullable=True),
    "ends_at": time_field("When the paid month ends.", nullable=True),
}
_PURCHASES = (
    ("created", "active", "An agent was bought."),
    ("suspended", "suspended", "The payment for the agent is contested; the buyer cannot use the agent meanwhile."),
    ("resumed", "active", "The buyer can use the agent again."),
    ("refunded", "refunded", "The buyer returned the agent, and the price was refunded."),
    ("ended", "ended", "The paid month has ended, whether renewed or not, or a purchase by use was cancelled."),
)

_PROJECT = {
    "project_id": id_field("prj", "The project."),
    "external_id": external_id_field(),
    "deploy_type": code_field("The environment: `development` or `production`.", "development"),
    "deployed_at": time_field("Since when it is deployed; null if it is not.", nullable=True),
}
_CONTRACT = {
    "contract_id": id_field("ctr", "The contract."),
    "external_id": external_id_field(),
    "agent_id": id_field("agt", "The agent that was hired."),
    "role": enum_field("The organization's role in the contract.", ("payer", "payee", "signatory")),
    "currency": asset_field("The asset of the price."),
    "price": amount_field("The agreed price."),
    "accept_by": time_field("Until when the payee can accept terms outside of its listing.", nullable=True),
    "accepted_at": time_field("When the payee accepted.", nullable=True),
}
_ALERT = {
    "alert_id": id_field("alr", "The alert."),
    "kind": code_field("The alert's kind.", "spend.threshold"),
    "subject": code_field("The id of the alert's subject.", "ctl_01kar6x0qmf9rv4w7n2h8d3s5c"),
    "severity": enum_field("The alert's severity.", Severity),
}
_LOT = {
    "lot_id": id_field("lot", "The lot."),
    "external_id": external_id_field(),
    "source": code_field("Where the credits came from.", "purchase"),
    "amount": amount_field("How many credits: all of them, or those that expired.", "100.00"),
    "expires_at": time_field("When the remaining credits expire.", nullable=True),
}
_DEBT_PAID = {"debt_paid": amount_field("How many of them paid what the organization owed.", "0.00")}
_SPENT = {
    "status": code_field("The status.", "reserved"),
    "agent_id": id_field("agt", "The agent that spends.", nullable=True),
    "asset": asset_field("What the amounts are in."),
    "amount": amount_field("The amount charged or reserved.", "7.00"),
    "captured_amount": amount_field("The amount used.", "0.00"),
    "released_amount": amount_field("The amount of a reservation that was released.", "0.00"),
    "refunded_amount": amount_field("The amount refunded later.", "0.00"),
    "expires_at": time_field("Until when a reservation holds.", nullable=True),
}
_RESERVATION = {"reservation_id": id_field("hold", "The reservation."), **_SPENT}
#: The sentence for each state of a reservation.
RESERVATION_STATES = {
    "captured": "A reservation was captured, in part or in full.",
    "released": "A reservation was released; none of it was used.",
    "expired": "A reservation has expired; none of it was used.",
    "refunded": "A reservation has ended; everything used of it was already refunded.",
}
_SCORE = {
    "agent_id": id_field("agt", "The agent."),
    "external_id": external_id_field(),
    "stars": amount_field("Its stars, 0 to 5.", "4.20"),
    "change": amount_field("By how much they changed overnight.", "-0.15"),
    "is_sudden": boolean_field("Whether the change is unusually large for one night."),
    "day": code_field("The day that the night ended.", "2026-03-01"),
}

_WRITTEN_ON = {
    **{"contract": "ctr", "escrow": "esc", "payment": "pay", "invoice": "inv", "grant": "lot"},
    "purchase_order": "por",
}
#: Nouns that can be changed, with the prefixes of their ids, and what can be changed of each.
CHANGEABLE = {
    "organization": ("org", ("metadata", "external_id", "name")),
    "agent": ("agt", ("metadata", "external_id", "name", "description", "category", "pricing", "terms", "visibility")),
    "project": ("prj", ("metadata", "external_id", "name")),
    **{noun: (prefix, ("metadata", "external_id")) for noun, prefix in _WRITTEN_ON.items()},
}


def _updated(noun: str, prefix: str, names: Sequence[str]) -> EventType:
    return EventType(
        type=f"{noun}.updated",
        sentence=f"Fields of {'an' if noun[0] in 'aeio' else 'a'} {noun} were changed; `changed` names them.",
        fields={
            f"{noun}_id": id_field(prefix, "The changed object."),
            "external_id": external_id_field(),
            "changed": enum_list_field("The names of the changed fields.", names),
        },
    )


_STANDING = (
    ("suspended", "suspended", "An operator has suspended the organization: nothing new begins until it is resumed."),
    ("resumed", "active", "An operator has resumed the organization."),
    ("closed", "closed", "An operator has closed the organization permanently; its keys are revoked."),
)

TYPES = (
    *(
        EventType(
            type=f"organization.{name}",
            sentence=sentence,
            fields={
                "organization_id": id_field("org", "The organization."),
                "external_id": external_id_field(),
                "status": enum_field("The organization's status.", ("active", "suspended", "closed")),
                "changed_at": time_field("When."),
            },
            shown={"status": status},
        )
        for name, status, sentence in _STANDING
    ),
    EventType(
        type="agent.created",
        sentence="The organization has created an agent.",
        fields={"agent_id": id_field("agt", "The agent."), "external_id": external_id_field()},
    ),
    EventType(
        type="agent.retired",
        sentence="The organization has retired an agent: nothing new begins with it.",
        fields={
            "agent_id": id_field("agt", "The agent."),
            "external_id": external_id_field(),
            "retired_at": time_field("When."),
        },
    ),
    *(_updated(noun, prefix, names) for noun, (prefix, names) in CHANGEABLE.items()),
    *(
        EventType(
            type=f"invoice.{name}",
            sentence=sentence,
            fields=_INVOICE,
            shown={
                "status": status.value,
                "paused_for": PausedFor.CHARGEBACK.value if name == "reopened" else None,
                **({} if status is InvoiceStatus.OPEN else {"due_amount": "0.00"}),
                **({"paid_amount": "50.00"} if status is InvoiceStatus.PAID else {}),
            },
        )
        for name, status, sentence in _INVOICES
    ),
    EventType(
        type="credit_note.created",
        sentence="A credit note was issued, which reduces an invoice.",
        fields={
            "credit_note_id": id_field("crn", "The credit note."),
            "invoice_id": id_field("inv", "The invoice."),
            "currency": asset_field("What the amounts are in.", "USD"),
            "amount": amount_field("The amount credited, including tax.", "20.00"),
            "tax_amount": amount_field("The tax included.", "0.00"),
        },
    ),
    *(
        EventType(type=f"purchase.{name}", sentence=sentence, fields=_PURCHASE, shown={"status": status})
        for name, status, sentence in _PURCHASES
    ),
    EventType(type="project.created", sentence="A project was created.", fields=_PROJECT, shown={"deployed_at": None}),
    EventType(type="deployment.started", sentence="A project was deployed.", fields=_PROJECT),
    EventType(
        type="deployment.stopped",
        sentence="A project is no longer deployed.",
        fields=_PROJECT,
        shown={"deployed_at": None},
    ),
    EventType(
        type="contract.created",
        sentence="A contract was created; its escrow can be opened.",
        fields=_CONTRACT,
        shown={"accept_by": None, "accepted_at": None},
    ),
    EventType(
        type="contract.proposed",
        sentence="A contract was proposed on terms that the payee has to accept.",
        fields=_CONTRACT,
        shown={"accepted_at": None},
    ),
    EventType(type="contract.accepted", sentence="The payee has accepted the terms.", fields=_CONTRACT),
    EventType(
        type="contract.expired",
        sentence="The payee did not accept the terms in time, and cannot accept them any more.",
        fields=_CONTRACT,
        shown={"accepted_at": None},
    ),
    EventType(type="alert.raised", sentence="Something needs a person's attention.", fields=_ALERT),
    EventType(type="alert.acknowledged", sentence="The alert was acknowledged, or its case is closed.", fields=_ALERT),
    EventType(
        type="alert.snoozed",
        sentence="The alert is snoozed: no notifications of it until a set time.",
        fields={**_ALERT, "snoozed_until": time_field("Until when it is snoozed.")},
    ),
    EventType(type="alert.resolved", sentence="The alert's case is closed.", fields=_ALERT),
    EventType(type="credit_lot.created", sentence="Credits were added.", fields=_LOT | _DEBT_PAID),
    EventType(
        type="credit_lot.expired",
        sentence="Credits have expired.",
        fields=_LOT,
        shown={"source": "promotion", "amount": _TEXT},
    ),
    EventType(type="reservation.created", sentence="Credits were reserved.", fields=_RESERVATION),
    *(
        EventType(
            type=f"reservation.{state}",
            sentence=sentence,
            fields=_RESERVATION,
            shown={"status": state, "captured_amount" if state == "captured" else "released_amount": "7.00"},
        )
        for state, sentence in RESERVATION_STATES.items()
    ),
    EventType(
        type="spend.refunded",
        sentence="An operator refunded a part or all of what was charged.",
        fields={"spend_id": code_field("The charge or reservation.", "spd_01kar6x0qmf9rv4w7n2h8d3s5c"), **_SPENT},
        shown={"status": "refunded", "captured_amount": "7.00", "refunded_amount": "7.00", "expires_at": None},
    ),
    EventType(type="score.changed", sentence="An agent's stars changed in a night, by a tenth or more.", fields=_SCORE),
)
