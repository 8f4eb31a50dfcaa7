"""Batches that page through due items and count the results.

They have no messages; schedules start them. They continue as new when the server suggests it, from the last item, and
end when everything due at the start was tried once. They compensate nothing: each item is one transaction, or has its
own run, and the next run retries failures.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.billing.vat_numbers import VatNumberActivities
    from activities.budgets.purchase_order import PurchaseOrderActivities
    from activities.insight.report import ReportActivities
    from activities.marketplace.marketplace import MarketplaceActivities
    from activities.marketplace.referral import ReferralActivities
    from activities.messages.mail import MailActivities
    from activities.payouts.payout_schedule import PayoutScheduleActivities
    from activities.payouts.recovery import RecoveryActivities
    from activities.payouts.statement import StatementActivities
    from activities.returns.allocation import AllocationActivities
    from contracts.billing.vat_numbers import VatConfirmations
    from contracts.budgets.purchase_order import PurchaseSweep
    from contracts.common.batch import HandledStepPage
    from contracts.common.queues import regular_activity
    from contracts.insight.report import ReportSweep
    from contracts.marketplace.marketplace import PurchaseRenewals
    from contracts.marketplace.referral import ReferralRewards
    from contracts.messages.mail import MailSweep
    from contracts.payouts.payout import PayScheduled
    from contracts.payouts.recovery import EarningsRecovery
    from contracts.payouts.statement import CreatorStatements
    from contracts.returns.allocation import AllocationSweep
    from workflows.common.batch import through_activities, through_pages

#: Maximum items of an attempt: items handled one by one, and items only started.
PAGE, STARTED = 20, 50


def _lines(title: str, *counts: str) -> str:
    """Render the run's progress for operators."""
    return "\n".join((title, "", *(f"- {count}" for count in counts)))


def _errors(failed: int, again: str) -> str:
    return f"**errors**: {failed}, see the worker's log; {again}" if failed else "**errors**: 0"


@workflow.defn(name="vat-confirmations")
class VatConfirmationsWorkflow:
    """Checks VAT numbers at the register that were never confirmed, or not for a month.

    Tax is charged until a confirmation, which holds until the register reports the number invalid.
    """

    @workflow.run
    async def run(self, start: VatConfirmations | None = None) -> VatConfirmations:
        """Check numbers."""
        return await through_activities(
            start or VatConfirmations(now=workflow.now(), limit=PAGE),
            VatNumberActivities.confirm_vat_numbers,
            lambda at: f"ask for numbers after {at.after or 'the beginning'}",
            lambda at: _lines(
                f"VAT numbers that were not confirmed at {at.now:%Y-%m-%d %H:%M} UTC",
                f"asked for: {at.found}, the last of `{at.after or '-'}`",
                f"confirmed: {at.confirmed}",
                f"no answer: {at.found - at.confirmed - at.refused}",
                f"**not in force**: {at.refused}" + (", see the alerts" if at.refused else ""),
            ),
        )


@workflow.defn(name="purchase-renewals")
class PurchaseRenewalsWorkflow:
    """Buys the next period of monthly purchases; one that cannot be paid is retried daily, a few times.

    A payment that cannot be fulfilled any more is refunded by its own run.
    """

    @workflow.run
    async def run(self, start: PurchaseRenewals | None = None) -> PurchaseRenewals:
        """Renew purchases."""
        return await through_activities(
            start or PurchaseRenewals(now=workflow.now(), limit=PAGE),
            MarketplaceActivities.renew_purchases,
            lambda at: f"renew purchases due at {at.now:%H:%M:%S}",
            lambda at: _lines(
                f"Purchases whose next month was due at {at.now:%H:%M:%S} UTC",
                f"renewed with credits: {at.renewed}",
                f"payments asked for: {at.asked}",
                f"not paid, or not renewed any more: {at.found - at.renewed - at.asked - at.failed}",
                _errors(at.failed, "tried again in an hour"),
            ),
        )


@workflow.defn(name="referral-rewards")
class ReferralRewardsWorkflow:
    """Rewards referrals whose payment can no longer be charged back, and claws back rewards after a chargeback."""

    @workflow.run
    async def run(self, start: ReferralRewards | None = None) -> ReferralRewards:
        """Decide referrals."""
        return await through_activities(
            start or ReferralRewards(now=workflow.now(), limit=PAGE),
            ReferralActivities.look_at_referrals,
            lambda at: f"decide referrals due at {at.now:%Y-%m-%d}",
            lambda at: _lines(
                f"Referrals that were due at {at.now:%Y-%m-%d %H:%M:%S} UTC",
                f"rewarded: {at.rewarded}",
                f"refused: {at.refused}",
                f"taken back: {at.taken_back}",
                f"still waiting: {at.found - at.rewarded - at.refused - at.taken_back - at.failed}",
                _errors(at.failed, "checked again tomorrow"),
            ),
        )


@workflow.defn(name="creator-statements")
class CreatorStatementsWorkflow:
    """Issues a numbered statement of what each creator earned in the previous month, and mails it."""

    @workflow.run
    async def run(self, start: CreatorStatements | None = None) -> CreatorStatements:
        """Make statements."""
        return await through_activities(
            start or CreatorStatements(now=workflow.now(), limit=PAGE),
            StatementActivities.make_statements,
            lambda at: f"make statements of the month before {at.now:%Y-%m}",
            lambda at: _lines(
                f"Statements of the month before {at.now:%Y-%m}",
                f"organizations whose earnings moved: {at.found}, the last of `{at.after or '-'}`",
                f"with statements now: {at.made}",
                f"nothing to state: {at.found - at.made - at.failed}",
                _errors(at.failed, "tried again tomorrow"),
            ),
        )


@workflow.defn(name="mail-sweep")
class MailSweepWorkflow:
    """Sends queued mails; a mail that the server does not accept is retried, and finally given up."""

    @workflow.run
    async def run(self, start: MailSweep | None = None) -> MailSweep:
        """Send mails."""
        return await through_activities(
            start or MailSweep(now=workflow.now(), limit=PAGE),
            MailActivities.send_mails,
            lambda at: f"send mails due at {at.now:%H:%M:%S}",
            lambda at: _lines(
                f"Mails due at {at.now:%H:%M:%S} UTC",
                f"sent: {at.sent}",
                f"tried again later: {at.found - at.sent - at.failed}",
                f"**given up**: {at.failed}" + (", see the alerts" if at.failed else ""),
            ),
        )


@workflow.defn(name="report-sweep")
class ReportSweepWorkflow:
    """Starts the run of each report whose period and late window are over, and deletes old files."""

    @workflow.run
    async def run(self, start: ReportSweep | None = None) -> ReportSweep:
        """Start runs."""
        return await through_activities(
            start or ReportSweep(now=workflow.now(), limit=STARTED),
            ReportActivities.start,
            lambda at: f"start reports due at {at.now:%H:%M:%S}",
            lambda at: _lines(
                f"Reports due at {at.now:%Y-%m-%d %H:%M} UTC",
                f"found: {at.found}, of which runs were started: {at.started}",
                f"files deleted because they are old: {at.forgotten}",
            ),
        )


@workflow.defn(name="scheduled-payouts")
class ScheduledPayoutsWorkflow:
    """Pays out the available earnings of each organization whose schedule is due, once for each day.

    A payout that cannot be sent returns to the earnings in its own run.
    """

    @workflow.run
    async def run(self, start: PayScheduled | None = None) -> PayScheduled:
        """Pay out, or record why an organization has no payout."""
        return await through_activities(
            start or PayScheduled(now=workflow.now(), limit=STARTED),
            PayoutScheduleActivities.pay,
            lambda at: f"pay out who is due on {at.now:%Y-%m-%d}",
            lambda at: f"Due on {at.now:%Y-%m-%d}: {at.found}; paid out: {at.paid}",
        )


@workflow.defn(name="earnings-recovery")
class EarningsRecoveryWorkflow:
    """Recovers earnings whose payment was charged back or refunded, and reverses payouts of them.

    An amount that a provider does not reverse becomes the creator's debt.
    """

    @workflow.run
    async def run(self, start: EarningsRecovery | None = None) -> EarningsRecovery:
        """Handle recoveries, then reversals."""
        done = await through_pages(start or EarningsRecovery(now=workflow.now(), limit=PAGE), self._page)
        workflow.set_current_details(
            f"Recoveries that creators have paid: {done.recovered}; payouts reversed: {done.reversed}"
        )
        return done

    async def _page(self, at: EarningsRecovery) -> HandledStepPage:
        method, summary = RecoveryActivities.recover, "take earnings back"
        if at.step == "reversals":
            method, summary = RecoveryActivities.reverse, "take back what was paid out"
        options = regular_activity(summary, timeout=timedelta(minutes=5))
        return await workflow.execute_activity_method(method, at.page, **options)


@workflow.defn(name="allocation-sweep")
class AllocationSweepWorkflow:
    """Starts the nightly run of each project, and pays the due stages of trials."""

    @workflow.run
    async def run(self, start: AllocationSweep | None = None) -> AllocationSweep:
        """Handle nights, then trials."""
        done = await through_pages(start or AllocationSweep(now=workflow.now(), limit=STARTED), self._page)
        title, counts = f"Due at {done.now:%Y-%m-%d %H:%M} UTC", (f"nights started: {done.started}",)
        workflow.set_current_details(_lines(title, *counts, f"trials paid or stopped: {done.paid}"))
        return done

    async def _page(self, at: AllocationSweep) -> HandledStepPage:
        method = AllocationActivities.start if at.step == "nights" else AllocationActivities.pay
        options = regular_activity(f"{at.step} due at {at.now:%H:%M:%S}", timeout=timedelta(minutes=10))
        return await workflow.execute_activity_method(method, at.page, **options)


@workflow.defn(name="purchase-order-sweep")
class PurchaseOrderSweepWorkflow:
    """Ends approved orders whose hold has expired, counts renewals, starts missing runs, reports unknown results.

    A later charge of an ended order counts as forced.
    """

    @workflow.run
    async def run(self, start: PurchaseSweep | None = None) -> PurchaseSweep:
        """Handle what is due, step by step."""
        done = await through_pages(start or PurchaseSweep(now=workflow.now(), limit=STARTED), self._page)
        workflow.set_current_details(
            _lines(
                f"Purchases of which something was due at {done.now:%H:%M:%S} UTC",
                f"holds ended: {done.expired}",
                f"renewals counted: {done.renewed}",
                f"runs started for unanswered approvals: {done.started}",
                f"alerts about unknown results: {done.reported}",
            )
        )
        return done

    async def _page(self, at: PurchaseSweep) -> HandledStepPage:
        methods = {
            "holds": PurchaseOrderActivities.expire,
            "renewals": PurchaseOrderActivities.renew,
            "unanswered": PurchaseOrderActivities.start_missing,
            "unknown": PurchaseOrderActivities.report_unknown,
        }
        options = regular_activity(f"{at.step} due at {at.now:%H:%M:%S}")
        return await workflow.execute_activity_method(methods[at.step], at.page, **options)
