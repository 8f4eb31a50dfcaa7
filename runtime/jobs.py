"""All scheduled jobs: one list for the worker, the simulated year and the tests."""

from datetime import timedelta

from temporalio.client import (
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleRange,
    ScheduleSpec,
)

from contracts.usage import UsageSync
from runtime.schedules import Job


def _every(**period: int) -> ScheduleSpec:
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(**period))])


def _daily(hour: int, minute: int) -> ScheduleSpec:
    return ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(hour)], minute=[ScheduleRange(minute)])])


SCHEDULES = [
    Job(
        id="auto-topup-sweep",
        workflow="auto-topup-sweep",
        spec=_every(minutes=1),
        summary="Starts automatic top-ups for balances that fell below their threshold",
        # A run lasts for a minute. If one is late, the next is buffered, so that no minute is left out.
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(minutes=1),
        run_timeout=timedelta(minutes=10),
    ),
    Job(
        id="alert-rules",
        workflow="alert-rules",
        spec=_every(minutes=1),
        summary="Evaluates alert rules",
        run_timeout=timedelta(minutes=10),
    ),
    Job(
        id="hold-expiry",
        workflow="hold-expiry",
        spec=_every(minutes=1),
        summary="Expires the holds that are due",
    ),
    Job(
        id="lot-expiry",
        workflow="lot-expiry",
        spec=_every(minutes=1),
        summary="Books the expiry of credits that are due",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="purchase-renewals",
        workflow="purchase-renewals",
        spec=_every(hours=1),
        summary="Renews monthly purchases of agents",
        run_timeout=timedelta(hours=6),
    ),
    Job(
        id="referral-rewards",
        workflow="referral-rewards",
        spec=_daily(4, 40),
        summary="Rewards referrals, and claws rewards back after refunds and chargebacks",
        run_timeout=timedelta(hours=6),
    ),
    Job(
        id="revenue-recognition",
        workflow="revenue-recognition",
        spec=_every(minutes=5),
        summary="Books revenue from the credits that were used, expired or earned",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="accounting-days",
        workflow="accounting-days",
        spec=_every(minutes=5),
        summary="Totals the books by day and line of the chart of accounts",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="escrow-sweep",
        workflow="escrow-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of escrows that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="inbox-sweep",
        workflow="inbox-sweep",
        spec=_every(minutes=1),
        summary="Starts runs for webhook events that are stored but not handled",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="mail-sweep",
        workflow="mail-sweep",
        spec=_every(minutes=1),
        summary="Sends the mails that are queued",
        run_timeout=timedelta(hours=2),
    ),
    Job(
        id="payment-sweep",
        workflow="payment-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of payments that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="invoice-sweep",
        workflow="invoice-sweep",
        spec=_every(minutes=5),
        summary="Starts the runs of invoices that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="payout-sweep",
        workflow="payout-sweep",
        spec=_every(minutes=5),
        summary="Starts the runs of payouts that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="scheduled-payouts",
        workflow="scheduled-payouts",
        spec=_every(hours=1),
        summary="Pays out creators on the days of their schedules",
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="creator-statements",
        workflow="creator-statements",
        spec=_daily(3, 50),
        summary="Issues the previous month's statements of creators that have none",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=20),
    ),
    Job(
        id="earnings-recovery",
        workflow="earnings-recovery",
        spec=_every(minutes=5),
        summary="Recovers earnings from payments that were refunded or charged back",
        run_timeout=timedelta(minutes=30),
    ),
    # By 04:30 the last hour of the day is in every provider's statement.
    Job(
        id="reconciliation-nightly",
        workflow="reconciliation-nightly",
        spec=_daily(4, 30),
        summary="Reconciles each provider's statement with the books",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=22),
    ),
    Job(
        id="reputation-decay",
        workflow="reputation-decay",
        spec=_daily(0, 20),
        summary="Decays every reputation score",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=22),
    ),
    Job(
        id="spend-alerts",
        workflow="spend-alerts",
        spec=_every(minutes=1),
        summary="Raises alerts about spending",
    ),
    Job(
        id="spend-days",
        workflow="spend-days",
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(7)])]),
        summary="Totals the spends of past days, at minute 7 of every hour",
        catch_up_within=timedelta(hours=2),
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="subscription-accrual",
        workflow="subscription-accrual",
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(12)])]),
        summary="Recognises subscription revenue of past days, at minute 12 of every hour",
        catch_up_within=timedelta(hours=2),
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="subscription-sweep",
        workflow="subscription-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of subscriptions that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="usage-months",
        workflow="usage-months",
        spec=_daily(2, 10),
        summary="Creates the tables of usage events for the next months",
        catch_up_within=timedelta(days=7),
    ),
    Job(
        id="usage-charges",
        workflow="usage-charges",
        spec=_every(minutes=1),
        summary="Charges usage events of priced meters",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="usage-sync",
        workflow="usage-sync",
        spec=_every(minutes=10),
        summary="Pulls new calls from the spend log of the LiteLLM proxy",
        args=(UsageSync(),),
        run_timeout=timedelta(hours=2),
    ),
    # For calls that are logged long after they began.
    Job(
        id="usage-sync-nightly",
        workflow="usage-sync",
        spec=_daily(3, 10),
        summary="Reads two days of the spend log of the LiteLLM proxy again",
        args=(UsageSync(back_seconds=172_800),),
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=20),
    ),
    Job(
        id="webhook-dispatch",
        workflow="webhook-dispatch",
        spec=_every(minutes=1),
        summary="Signals idle webhook endpoints when there is something to send",
        # A run lasts for a minute. If one is late, the next is buffered, so that no minute is left out.
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(minutes=1),
        run_timeout=timedelta(minutes=10),
    ),
    Job(
        id="notifications",
        workflow="notifications",
        spec=_every(minutes=1),
        summary="Sends notifications",
        # As above: a run lasts for a minute.
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(minutes=1),
        run_timeout=timedelta(minutes=10),
    ),
    Job(
        id="vat-confirmations",
        workflow="vat-confirmations",
        spec=_daily(3, 40),
        summary="Checks unconfirmed VAT numbers at the register again",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=20),
    ),
]


def invoicing_on(day: int) -> Job:
    """Return the job that invoices months from a day of the next month on; the run itself waits for late usage."""
    on = ScheduleCalendarSpec(day_of_month=[ScheduleRange(day)], hour=[ScheduleRange(0)], minute=[ScheduleRange(30)])
    return Job(
        id="monthly-invoicing",
        workflow="monthly-invoicing",
        spec=ScheduleSpec(calendars=[on]),
        summary="Invoices every past month that is not invoiced",
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(days=27),
    )


#: The schedule that exists only if a setting enables it.
PROBE = "probe"


def probing_every(period: timedelta) -> Job:
    """Return the probe's job; missed runs are not caught up."""
    return Job(
        id=PROBE,
        workflow="probe",
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=period)]),
        summary="Awards, funds, delivers and releases one credit, and reports failed steps",
        catch_up_within=timedelta(minutes=1),
    )
