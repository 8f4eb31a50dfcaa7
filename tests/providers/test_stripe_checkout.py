"""Pages at Stripe: opened, paid, left open by a decline, closed, and found again."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.payments.payment.snapshot import ProviderStatus, Snapshot
from providers.payments.base import OutcomeUnknown, ProviderRefused
from providers.payments.stripe import StripeProvider
from runtime.identity import new_id
from tests.providers.harness import key, paid_movement
from tests.providers.stripe_harness import RETURN_URL, SECRETS, SandboxHarness


class TestCheckout:
    async def opened(self, sandbox: SandboxHarness, **changes: object) -> Snapshot:
        payment = sandbox.payment(hosted=True, return_url=RETURN_URL, **changes)
        return await sandbox.provider.create(payment, idempotency_key=key())

    async def test_a_page_is_opened_and_paid(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        assert opened.ref.startswith("cs_")
        assert opened.status is ProviderStatus.REQUIRES_ACTION
        assert opened.action.redirect_url.startswith("http")
        await sandbox.control("checkout", session=opened.ref)
        paid = await sandbox.provider.retrieve(opened.ref)
        assert paid.status is ProviderStatus.SUCCEEDED
        assert paid.ref == opened.ref
        assert paid_movement(paid).amount_minor == sandbox.amount_minor
        assert paid_movement(paid).payment_id is not None

    async def test_pitfall_21_a_page_that_is_complete_and_not_paid_is_processing(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        await sandbox.control("checkout", session=opened.ref, payment_method="pm_usBankAccount_processing")
        session = await sandbox.client.v1.checkout.sessions.retrieve_async(opened.ref)
        assert (session.status, session.payment_status) == ("complete", "unpaid")
        complete = await sandbox.provider.retrieve(opened.ref)
        assert complete.status is ProviderStatus.PROCESSING
        assert complete.movements == ()
        await sandbox.control("bank_debit", payment_intent=session.payment_intent, outcome="fail")
        failed = await sandbox.provider.retrieve(opened.ref)
        assert failed.status is ProviderStatus.FAILED
        assert failed.decline is not None

    async def test_a_declined_card_leaves_the_page_open(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        await sandbox.control("checkout", session=opened.ref, payment_method="pm_card_chargeDeclined")
        declined = await sandbox.provider.retrieve(opened.ref)
        assert declined.status is ProviderStatus.REQUIRES_ACTION
        assert declined.action == opened.action
        await sandbox.control("checkout", session=opened.ref)
        assert (await sandbox.provider.retrieve(opened.ref)).status is ProviderStatus.SUCCEEDED

    async def test_challenged_page_is_not_paid_without_3d_secure(self, sandbox: SandboxHarness):
        for is_challenged in (False, True):
            opened = await self.opened(sandbox, authenticate=is_challenged)
            card = "pm_card_threeDSecureOptional"
            await sandbox.control("checkout", session=opened.ref, payment_method=card, outcome="fail")
            after = await sandbox.provider.retrieve(opened.ref)
            assert (after.status is ProviderStatus.REQUIRES_ACTION) is is_challenged

    async def test_a_page_is_closed(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        closed = await sandbox.provider.cancel(opened.ref, idempotency_key=key("cancel"))
        assert closed.status is ProviderStatus.EXPIRED
        assert closed.action is None

    async def test_a_page_that_was_paid_stays_paid_when_it_is_cancelled(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        await sandbox.control("checkout", session=opened.ref)
        assert (await sandbox.provider.cancel(opened.ref, idempotency_key=key("cancel"))).movements

    async def test_authorization_by_a_page_is_captured_or_released(self, sandbox: SandboxHarness):
        for captures in (True, False):
            opened = await self.opened(sandbox, manual_capture=True)
            await sandbox.control("checkout", session=opened.ref)
            held = await sandbox.provider.retrieve(opened.ref)
            assert held.status is ProviderStatus.AUTHORIZED
            if captures:
                ended = await sandbox.provider.capture(opened.ref, 1000, idempotency_key=key("capture"))
                assert paid_movement(ended).amount_minor == 1000
            else:
                ended = await sandbox.provider.cancel(opened.ref, idempotency_key=key("cancel"))
                assert ended.status is ProviderStatus.CANCELLED
            assert ended.ref == opened.ref

    async def test_payment_by_a_page_is_refunded(self, sandbox: SandboxHarness):
        opened = await self.opened(sandbox)
        with pytest.raises(ProviderRefused):
            await sandbox.provider.refund(
                opened.ref, refund_id=new_id("ref"), amount_minor=1, reason=None, idempotency_key=key("refund")
            )
        await sandbox.control("checkout", session=opened.ref)
        refund_id = new_id("ref")
        made = await sandbox.provider.refund(
            opened.ref, refund_id=refund_id, amount_minor=700, reason="late", idempotency_key=key("refund")
        )
        assert made == await sandbox.provider.find_refund(
            opened.ref, refund_id=refund_id, idempotency_key=key("refund")
        )
        assert (await sandbox.provider.retrieve(opened.ref)).refunds == (made,)

    async def test_a_lost_page_is_found(self, sandbox: SandboxHarness):
        payment = sandbox.payment(hosted=True, return_url=RETURN_URL)
        sandbox.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await sandbox.provider.create(payment, idempotency_key=key())
        await self.opened(sandbox)
        found = await sandbox.provider.find(payment, idempotency_key=key())
        assert found.action.redirect_url
        assert await sandbox.provider.find(sandbox.payment(hosted=True), idempotency_key=key()) is None

    async def test_repeated_request_returns_the_same_page_despite_another_expiry(self, sandbox: SandboxHarness):
        soon = datetime.now(UTC) + timedelta(minutes=5)
        payment, once = sandbox.payment(hosted=True, return_url=RETURN_URL, expires_at=soon), key()
        first = await sandbox.provider.create(payment, idempotency_key=once)
        later = StripeProvider(
            sandbox.client, webhook_secrets=SECRETS, clock=lambda: datetime.now(UTC) + timedelta(seconds=90)
        )
        assert (await later.create(payment, idempotency_key=once)).ref == first.ref
        other = sandbox.payment(hosted=True, return_url=RETURN_URL)
        with pytest.raises(OutcomeUnknown):
            await later.create(other, idempotency_key=once)

    async def test_page_expires_with_the_payment_within_stripes_limits(self, sandbox: SandboxHarness):
        now = datetime.now(UTC)
        for wanted, bound in ((timedelta(hours=2), 7200), (timedelta(minutes=1), 31 * 60), (timedelta(days=9), 86_340)):
            opened = await self.opened(sandbox, expires_at=now + wanted)
            session = await sandbox.client.v1.checkout.sessions.retrieve_async(opened.ref)
            assert abs(session.expires_at - int(now.timestamp()) - bound) <= 60

    async def test_a_page_without_a_way_back_is_refused(self, sandbox: SandboxHarness):
        with pytest.raises(ProviderRefused, match="return_url"):
            await sandbox.provider.create(sandbox.payment(hosted=True), idempotency_key=key())
