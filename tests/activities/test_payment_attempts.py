"""Further attempts of provider calls look up the outcome of earlier ones first."""

import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.payments.payment_providers import ProviderActivities
from contracts.payments.payment import EvidenceRequest, ProviderRequest, ProviderResponse, RefundRequest, RefundResponse
from domain.common.ids import payment_key
from domain.payments.payment.snapshot import BalanceTransactionKind, ProviderStatus
from providers.payments.base import OutcomeUnknown, ProviderUnavailable
from providers.payments.registry import Providers
from tests.support.payments import TERMS, FakeProvider

KEY = payment_key(TERMS.payment_id, "create")
NOTHING: Any = None


def attempt(number: int) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=number)
    return environment


async def make(fake: FakeProvider, number: int) -> ProviderResponse:
    activities = ProviderActivities(NOTHING, Providers({"fake": fake}))
    return await attempt(number).run(activities.create, ProviderRequest(terms=TERMS, key=KEY))


async def give_back(fake: FakeProvider, ref: str, number: int) -> RefundResponse:
    activities = ProviderActivities(NOTHING, Providers({"fake": fake}))
    key = payment_key(TERMS.payment_id, "refund", "rfd_1")
    message = RefundRequest(terms=TERMS, ref=ref, refund_id="rfd_1", amount_minor=100, reason=None, key=key)
    return await attempt(number).run(activities.refund, message)


async def test_pitfall_09_charge_is_not_repeated_after_a_worker_died():
    fake = FakeProvider()
    fake.pays_at_once = True
    first = await make(fake, 1)
    fake.answers.clear()  # the provider has forgotten the key by now
    second = await make(fake, 2)
    assert second == first
    assert fake.count(TERMS.payment_id) == 1
    assert [call for call, _ in fake.calls] == ["create", "find"]
    charges = [
        each for each in fake.of(TERMS.payment_id).snapshot().movements if each.kind is BalanceTransactionKind.CHARGE
    ]
    assert len(charges) == 1


async def test_pitfall_09_refund_is_not_repeated_after_a_worker_died():
    fake = FakeProvider()
    fake.pays_at_once = True
    made = await make(fake, 1)
    assert made.snapshot is not None
    first = await give_back(fake, made.snapshot.ref, 1)
    fake.answers.clear()
    assert await give_back(fake, made.snapshot.ref, 2) == first
    assert len(fake.of(TERMS.payment_id).refunds) == 1


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_pitfall_10_broken_call_is_unknown_and_not_repeated_by_its_attempt(breaks: str):
    fake = FakeProvider()
    fake.breaks = [breaks]
    answer = await make(fake, 1)
    assert answer.unknown is not None
    assert answer.snapshot is None
    assert [call for call, _ in fake.calls] == ["create"]


async def test_pitfall_27_every_attempt_asks_under_the_same_key():
    fake = FakeProvider()
    fake.breaks = ["unavailable", "unavailable"]
    for number in (1, 2):
        with pytest.raises(ProviderUnavailable):
            await make(fake, number)
    assert (await make(fake, 3)).snapshot is not None
    assert {key for _, key in fake.calls} == {KEY}
    assert fake.count(TERMS.payment_id) == 1


async def test_cancellation_whose_call_failed_is_not_retried_for_ever():
    fake = FakeProvider()
    fake.breaks = ["", "after"]
    made = await make(fake, 1)
    assert made.snapshot is not None
    activities = ProviderActivities(NOTHING, Providers({"fake": fake}))
    message = ProviderRequest(terms=TERMS, key="cancel", ref=made.snapshot.ref)
    with pytest.raises(OutcomeUnknown):
        await attempt(1).run(activities.cancel, message)
    answer = await attempt(2).run(activities.cancel, message)
    assert answer.snapshot is not None
    assert answer.snapshot.status is ProviderStatus.CANCELLED
    assert [call for call, _ in fake.calls].count("cancel") == 1


async def test_payment_whose_cancelling_failed_is_cancelled_under_another_key():
    fake = FakeProvider()
    fake.breaks = ["", "before"]
    made = await make(fake, 1)
    assert made.snapshot is not None
    activities = ProviderActivities(NOTHING, Providers({"fake": fake}))
    message = ProviderRequest(terms=TERMS, key="cancel", ref=made.snapshot.ref)
    with pytest.raises(OutcomeUnknown):
        await attempt(1).run(activities.cancel, message)
    assert (await attempt(2).run(activities.cancel, message)).snapshot.status is ProviderStatus.CANCELLED
    assert [key for call, key in fake.calls if call == "cancel"] == ["cancel", "cancel:2"]


async def test_evidence_that_the_bank_has_is_not_resubmitted():
    fake = FakeProvider()
    fake.pays_at_once = True
    made = await make(fake, 1)
    assert made.snapshot is not None
    account = fake.of(TERMS.payment_id)
    account.dispute()
    [dispute] = account.disputes
    activities = ProviderActivities(NOTHING, Providers({"fake": fake}))
    message = EvidenceRequest(
        terms=TERMS, dispute_ref=dispute, text="Delivered.", key="evidence", ref=made.snapshot.ref
    )
    for number in (1, 2):
        assert (await attempt(number).run(activities.submit_evidence, message)).refused is None
    assert [call for call, _ in fake.calls].count("submit_evidence") == 1
