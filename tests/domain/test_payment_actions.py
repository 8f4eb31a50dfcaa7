"""Previews of the commands of a payment."""

from dataclasses import replace
from typing import Any

import pytest

from domain.common.access import Actor, Role
from domain.payments.payment import commands
from domain.payments.payment.actions import CommandEffect, PaymentAction, preview_commands
from domain.payments.payment.presentation import story
from domain.payments.payment.snapshot import Decline
from domain.payments.payment.state import Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.support.payments import EPOCH, TERMS

OWNER = Actor(principal="ann", role=Role.OWNER, org_id=TERMS.org_id)
AUDITOR = Actor(principal="eve", role=Role.AUDITOR, org_id=TERMS.org_id)
OPERATOR = Actor(principal="root", role=Role.OPERATOR)
CREATED = commands.created(TERMS, actor=OWNER).payment
AWAITED = replace(CREATED, status=PaymentStatus.REQUIRES_ACTION, ref="pi_1")
AUTHORIZED = replace(CREATED, status=PaymentStatus.REQUIRES_CAPTURE, ref="pi_1", authorized_minor=1000)
PAID = replace(CREATED, status=PaymentStatus.SUCCEEDED, ref="pi_1", received_minor=1000, granted_minor=100_000_000)


def of(payment: Payment, actor: Actor = OWNER, amount_minor: int | None = None) -> dict[str, Any]:
    return {action.name.value: action for action in preview_commands(payment, actor, EPOCH, amount_minor)}


def allowed(payment: Payment, actor: Actor = OWNER) -> list[str]:
    return [name for name, action in of(payment, actor).items() if action.effect is not None]


@pytest.mark.parametrize(
    ("payment", "names"),
    [
        (CREATED, ["cancel"]),
        (AWAITED, ["confirm", "cancel"]),
        (AUTHORIZED, ["confirm", "capture", "cancel"]),
        (PAID, ["confirm", "refund"]),
        (replace(PAID, status=PaymentStatus.CHARGED_BACK, reversed_minor=1000), ["confirm"]),
        (replace(AWAITED, unknown=True), ["cancel"]),
    ],
)
def test_state_determines_the_accepted_commands(payment: Payment, names: list[str]) -> None:
    assert allowed(payment) == names


def test_role_is_checked_before_the_state() -> None:
    assert allowed(PAID, AUDITOR) == []
    assert {action.refusal.error_code for action in of(PAID, AUDITOR).values()} == {"auth.forbidden"}
    assert allowed(PAID, OPERATOR) == ["refund"]


def test_only_the_platform_refunds_an_invoice_payment() -> None:
    purpose = Purpose(kind=PurposeKind.INVOICE, goods_asset="USD", goods_minor=1000, invoice_id="inv_1")
    billed = replace(PAID, terms=replace(TERMS, purpose=purpose))
    assert of(billed)["refund"].refusal.error_code == "auth.forbidden"
    assert of(billed, OPERATOR)["refund"].effect is not None


def test_partial_refund_claws_back_its_share_of_the_entitlement() -> None:
    assert of(PAID, amount_minor=250)["refund"].effect == CommandEffect(
        status=PaymentStatus.PARTIALLY_REFUNDED, refunded_minor=250, taken_minor=25_000_000
    )
    assert of(PAID, amount_minor=1001)["refund"].refusal.error_code == "payment.refund_exceeds_remainder"


def test_capture_of_a_part_releases_the_rest() -> None:
    effect = of(AUTHORIZED, amount_minor=600)["capture"].effect
    assert (effect.captured_minor, effect.released_minor) == (600, 400)
    assert of(AUTHORIZED, amount_minor=1001)["capture"].refusal.error_code == "request.invalid"


def test_refund_whose_outcome_is_unknown_can_be_given_up_by_operators() -> None:
    lost = Refund(
        refund_id="rfd_1",
        amount_minor=250,
        goods_minor=25_000_000,
        state=RefundState.UNKNOWN,
        requested_by="ann",
        requested_at=EPOCH,
    )
    payment = replace(PAID, refunds=(lost,))
    assert allowed(payment, OPERATOR) == ["give_up_refund"]
    assert of(payment)["refund"].refusal.error_code == "payment.refund_in_flight"
    assert of(PAID, OPERATOR)["give_up_refund"].refusal.error_code == "payment.refund_not_unknown"


def test_every_action_has_a_name_in_the_list_of_commands() -> None:
    assert list(of(PAID)) == [action.value for action in PaymentAction]


def test_story_describes_the_status() -> None:
    assert story(AWAITED) == (
        "10.00 USD by fake for credits: requires action, the payer has until 2026-01-06 11:00 UTC."
    )
    declined = replace(AWAITED, decline=Decline(code="x", detail="The card was declined."))
    assert story(declined).endswith("UTC. Declined: The card was declined.")
    assert story(replace(AWAITED, unknown=True)).endswith(
        "It is unknown whether the provider executed the last command; it is being looked up."
    )
