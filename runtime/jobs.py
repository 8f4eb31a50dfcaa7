"""All scheduled jobs, for the worker, the simulated year and the tests."""

from datetime import timedelta
from typing import Any

from temporalio.client import (
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleRange,
    ScheduleSpec,
)

from contracts.usage.usage import UsageSync
from runtime.schedules import Job


def _every(**period: int) -> ScheduleSpec:
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(**period))])


def _daily(hour: int, minute: int) -> ScheduleSpec:
    return ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(hour)], minute=[ScheduleRange(minute)])])


def _job(
    name: str,
    spec: ScheduleSpec,
    summary: str,
    *,
    run_timeout: timedelta | None = timedelta(minutes=30),
    workflow: str | None = None,
    **options: Any,
) -> Job:
    """Return a job named like its workflow, unless another workflow is given."""
    return Job(id=name, workflow=workflow or name, spec=spec, run_timeout=run_timeout, summary=summary, **options)


def _for_a_minute(name: str, summary: str) -> Job:
    """Return a job with runs of a minute. If one is late, the next is buffered, so that no minute is skipped."""
    return _job(
        name,
        _every(minutes=1),
        summary,
        run_timeout=timedelta(minutes=10),
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(minutes=1),
    )


SCHEDULES = [
    _for_a_minute("auto-topup-sweep", "Starts automatic top-ups for balances that fell below their threshold"),
    _job("allocation-sweep", _every(minutes=5), "Divides budgets for the day, and pays trials"),
    _job("alert-rules", _every(minutes=1), "Evaluates alert rules", run_timeout=timedelta(minutes=10)),
    _job("hold-expiry", _every(minutes=1), "Expires the holds that are due", run_timeout=None),
    _job("lot-expiry", _every(minutes=1), "Books the expiry of credits that are due"),
    _job("purchase-order-sweep", _every(minutes=5), "Ends purchase orders whose hold is over, and counts renewals"),
    _job("purchase-renewals", _every(hours=1), "Renews monthly purchases of agents", run_timeout=timedelta(hours=6)),
    _job(
        "referral-rewards",
        _daily(4, 40),
        "Rewards referrals, and claws rewards back after refunds and chargebacks",
        run_timeout=timedelta(hours=6),
    ),
    _job("revenue-recognition", _every(minutes=5), "Books revenue from the credits that were used, expired or earned"),
    _job("accounting-days", _every(minutes=5), "Totals the books by day and line of the chart of accounts"),
    _job("metric-sums", _every(minutes=5), "Adds up events by day for metrics"),
    _job(
        "secret-access-seal", _every(minutes=1), "Seals the log of access to secrets", run_timeout=timedelta(minutes=10)
    ),
    _job("escrow-sweep", _every(minutes=5), "Restarts the runs of escrows that have none"),
    _job("export-sweep", _every(minutes=5), "Starts exports that have no run, and deletes files whose time is over"),
    _job("inbox-sweep", _every(minutes=1), "Starts runs for webhook events that are stored but not handled"),
    _job("mail-sweep", _every(minutes=1), "Sends the mails that are queued", run_timeout=timedelta(hours=2)),
    _job("payment-sweep", _every(minutes=5), "Restarts the runs of payments that have none"),
    _job("invoice-sweep", _every(minutes=5), "Starts the runs of invoices that have none"),
    _job("report-sweep", _every(minutes=5), "Starts the runs of reports that are due"),
    _job("payout-sweep", _every(minutes=5), "Starts the runs of payouts that have none"),
    _job("risk-case-sweep", _every(minutes=5), "Starts the runs of cases of suspected fraud that have none"),
    _job(
        "scheduled-payouts",
        _every(hours=1),
        "Pays out creators on the days of their schedules",
        run_timeout=timedelta(minutes=55),
    ),
    _job(
        "creator-statements",
        _daily(3, 50),
        "Issues the previous month's statements of creators that have none",
        run_timeout=timedelta(hours=20),
        catch_up_within=timedelta(hours=20),
    ),
    _job("earnings-recovery", _every(minutes=5), "Recovers earnings from payments that were refunded or charged back"),
    # By 04:30 the last hour of the day is in every provider's statement.
    _job(
        "reconciliation-nightly",
        _daily(4, 30),
        "Reconciles each provider's statement with the books",
        run_timeout=timedelta(hours=22),
        catch_up_within=timedelta(hours=20),
    ),
    _job(
        "reputation-decay",
        _daily(0, 20),
        "Decays every reputation score",
        run_timeout=timedelta(hours=22),
        catch_up_within=timedelta(hours=20),
    ),
    # After the night of the scores, whose changes it reads.
    _job(
        "risk-night",
        _daily(1, 10),
        "Looks for clusters, rings, junk deliveries, refund abuse and anomalous scores",
        run_timeout=timedelta(hours=22),
        catch_up_within=timedelta(hours=20),
    ),
    _job("risk-sweep", _every(minutes=5), "Looks for card testing and takeovers"),
    _job(
        "risk-training",
        ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    day_of_week=[ScheduleRange(0)], hour=[ScheduleRange(2)], minute=[ScheduleRange(40)]
                )
            ]
        ),
        "Trains a model that scores acts, on Sundays at 02:40",
        run_timeout=timedelta(hours=10),
        catch_up_within=timedelta(days=2),
    ),
    _job("spend-alerts", _every(minutes=1), "Raises alerts about spending", run_timeout=None),
    _job("secret-rotation-sweep", _every(minutes=5), "Starts the runs of rotations of secrets that have none"),
    _job(
        "spend-days",
        ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(7)])]),
        "Totals the spends of past days, at minute 7 of every hour",
        run_timeout=timedelta(minutes=55),
        catch_up_within=timedelta(hours=2),
    ),
    _job(
        "subscription-accrual",
        ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(12)])]),
        "Recognises subscription revenue of past days, at minute 12 of every hour",
        run_timeout=timedelta(minutes=55),
        catch_up_within=timedelta(hours=2),
    ),
    _job("subscription-sweep", _every(minutes=5), "Restarts the runs of subscriptions that have none"),
    _job(
        "usage-months",
        _daily(2, 10),
        "Creates the tables of usage events for the next months",
        run_timeout=None,
        catch_up_within=timedelta(days=7),
    ),
    _job("usage-charges", _every(minutes=1), "Charges usage events of priced meters"),
    _job(
        "usage-sync",
        _every(minutes=10),
        "Pulls new calls from the spend log of the LiteLLM proxy",
        run_timeout=timedelta(hours=2),
        args=(UsageSync(),),
    ),
    # For calls that are logged long after they began.
    _job(
        "usage-sync-nightly",
        _daily(3, 10),
        "Reads two days of the spend log of the LiteLLM proxy again",
        run_timeout=timedelta(hours=20),
        args=(UsageSync(back_seconds=172_800),),
        catch_up_within=timedelta(hours=20),
        workflow="usage-sync",
    ),
    _job("risk-outcomes", _every(seconds=15), "Counts what follows from acts that were checked against fraud"),
    _job(
        "risk-retention",
        _daily(1, 50),
        "Deletes counters, decisions and links of checks against fraud whose time is over",
        run_timeout=timedelta(hours=20),
        catch_up_within=timedelta(hours=20),
    ),
    _for_a_minute("webhook-dispatch", "Signals idle webhook endpoints when there is something to send"),
    _for_a_minute("notifications", "Sends notifications"),
    _job(
        "vat-confirmations",
        _daily(3, 40),
        "Checks unconfirmed VAT numbers at the register again",
        run_timeout=timedelta(hours=20),
        catch_up_within=timedelta(hours=20),
    ),
]


def invoicing_on(day: int) -> Job:
    """Return the job that invoices months from a day of the next month on; the run waits for late usage."""
    on = ScheduleCalendarSpec(day_of_month=[ScheduleRange(day)], hour=[ScheduleRange(0)], minute=[ScheduleRange(30)])
    return Job(
        id="monthly-invoicing",
        workflow="monthly-invoicing",
        spec=ScheduleSpec(calendars=[on]),
        summary="Invoices every past month that is not invoiced",
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(days=27),
    )


#: Jobs enabled by settings.
REFERENCE_RATES = _job(
    "reference-rates",
    _every(hours=1),
    "Reads exchange rates from a central bank's daily file",
    run_timeout=timedelta(minutes=55),
    at_once=True,
)
SEARCH_INDEX = _for_a_minute("search-index", "Sends new events to the search index")
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
