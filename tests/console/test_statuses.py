"""Every status that the domain or a table knows has a word, a tone, a shape and a sentence."""

import enum
import importlib
import pkgutil
import re
from pathlib import Path

import domain
import models.messages.notification  # noqa: F401
from console.status import SHAPES, STATUSES, Tone, status_of
from ledger.spends import SpendStatus
from tests.support.cases import for_each

STATIC = Path(__file__).resolve().parents[2] / "console/static"
#: Statuses of the domain, by what the console calls their noun.
NOUNS = {
    "activity": "FactStatus",
    "allocation": "AllocationStatus",
    "trial": "TrialStatus",
    "alert": "AlertStatus",
    "approval": "ApprovalStatus",
    "attempt": "AttemptStatus",
    "card": "CardStatus",
    "card_payment": "CardPaymentStatus",
    "chargeback": "DisputeStatus",
    "channel": "ChannelStatus",
    "contract": "ContractStatus",
    "control": "ControlStatus",
    "delivery": "DeliveryStatus",
    "earnings": "PayableState",
    "endpoint": "EndpointStatus",
    "log_entry": "EntryStatus",
    "escrow": "EscrowStatus",
    "export": "ExportStatus",
    "fulfilment": "Fulfilment",
    "invoice": "InvoiceStatus",
    "match": "MatchStatus",
    "order": "PurchaseOrderStatus",
    "organization": "OrganizationStatus",
    "payment": "PaymentStatus",
    "payout": "PayoutStatus",
    "purchase": "PurchaseStatus",
    "revenue": "RevenueStatus",
    "risk_case": "CaseStatus",
    "review": "CaseStatus",
    "risk_result": "CaseResult",
    "risk_label": "Label",
    "refund": "RefundState",
    "secret_access": "AccessOutcome",
    "secret_rotation": "RotationStatus",
    "secret_version": "VersionStatus",
    "severity": "Severity",
    "subscription": "SubscriptionStatus",
    "usage": "BilledStatus",
}
#: What providers say, which becomes a status of ours before anybody sees it.
OF_PROVIDERS = {"ProviderStatus", "ProviderState", "BillState", "RefundStatus"}
#: Statuses that no page shows.
WITHOUT_A_PAGE = {
    "BillingRunStatus",
    "InvoiceItemStatus",
    "CollectionStatus",
    "ReversalStatus",
    "ReferralStatus",
    "MailStatus",
    "OfferStatus",
    "ModelStatus",
}
#: What the console says of objects whose API has fields in place of a status.
OWN = {"agent", "billing_run", "department", "discrepancy", "evidence", "key", "milestone", "price_rule"} | {
    "principal",
    "project",
    "reconciliation",
    # `Outcome` and `Mode` are names of other enums, too.
    "risk_mode",
    "risk_outcome",
    "secret_grant",
    "spend",
    "webhook",
}


def enums() -> dict[str, type[enum.StrEnum]]:
    found = {}
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and issubclass(value, enum.StrEnum) and value.__module__ == module.name:
                found[name] = value
    return found


@for_each("noun", sorted(NOUNS))
def test_every_status_of_the_domain_is_shown(noun):
    assert set(STATUSES[noun]) == {status.value for status in enums()[NOUNS[noun]]}


def test_every_status_of_a_spend_is_shown():
    assert set(STATUSES["spend"]) == {status.value for status in SpendStatus}


def test_a_new_status_of_the_domain_is_noticed():
    named = {name for name in enums() if name.endswith(("Status", "State"))}

    assert named - set(NOUNS.values()) == OF_PROVIDERS | WITHOUT_A_PAGE
    assert set(STATUSES) == {*NOUNS, *OWN}


@for_each("noun", sorted(STATUSES))
def test_a_status_has_word_shape_and_sentence(noun):
    icons = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    for status in STATUSES[noun].values():
        assert status.word
        assert len(status.word) <= 24
        assert status.icon in icons
        assert status.sentence.endswith(".")


@for_each("noun", sorted(STATUSES))
def test_no_two_statuses_of_a_noun_have_the_same_word(noun):
    words = [status.word for status in STATUSES[noun].values()]

    assert len(set(words)) == len(words)


def test_each_tone_has_a_shape_of_its_own():
    assert set(SHAPES) == set(Tone)
    assert len(set(SHAPES.values())) == len(Tone)


def test_a_status_that_is_newer_than_the_console_is_shown_as_it_stands():
    assert status_of("escrow", "half_released").word == "Half released"
