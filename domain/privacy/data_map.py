"""What is kept of whom: every column, every field of a message or of a log line, and every search attribute.

Each has a category, and its place says what it is for, how long it is kept and how it is erased. The map is complete
and nothing in it is stale: `tests/test_rules.py` compares it with the tables, the messages and the calls of the
loggers, so who adds a column decides here what it is. Columns are decided one by one (`domain.privacy.tables`).
Messages share their names, because a name means the same in all of them; where it does not, the message stands before
it.

Erasing is not built yet. The map says what it will do: `delete` empties the field, `seal` encrypts it under a key of
its subject, which is then forgotten, and `keep: …` leaves it and says on which ground.
"""

from collections.abc import Mapping
from enum import StrEnum

from domain.privacy.places import DELETE, IN_LOGS, IN_TEMPORAL, SEAL, Category, Entry, Place
from domain.privacy.tables import TABLES


class Shown(StrEnum):
    """What a search attribute may be, and nothing else: Temporal stores them in clear."""

    ID = "id"
    STATE = "state"
    AMOUNT = "amount"


_GOES = {
    Category.CONTACT: SEAL,
    Category.FREE_TEXT: SEAL,
    **dict.fromkeys((Category.IDENTIFIER, Category.FINANCIAL, Category.TECHNICAL), DELETE),
}

#: Every field of every message in `contracts/`, and of what of `domain/` these hold. `SEAL` is by the deployment's
#: `BURSAR_ENCRYPTION_KEYS`; all of it goes with the history.
MESSAGES = Place(
    "what a run needs to go on, kept in Temporal's histories",
    IN_TEMPORAL,
    {
        Category.CONTACT: (
            "recipient CustomerInput.name actor actor_detail agent_name cancel_requested_by cancelled_by created_by "
            "made_by on_behalf opened_by operator payer_name principal requested_by resolved_by seal signatories "
            "signatory signed_by submitted_by SaleTax.party"
        ),
        Category.IDENTIFIER: (
            "Deposit.address agent_id approve at_provider cancel command_id contract_id customer_ref debtor "
            "decided_from dispute dispute_id dispute_ref escrow_id event event_id funded_from give_up invoice_id "
            "falls key key_id rotate secret_id look memo method_ref methods org_id payee_org_id payer_org_id "
            "payment_id payments "
            "provider_ref open ref refund refund_id request_id resolve run_id runs seal_id session_id sha256 "
            "statement_ref transfer_id unanswered account_ref destination payout_id transfer_ref waits_for processing "
            "hash bill_ref customer fingerprint item_ref our_id paid_bill payment_ref price_id settled subscription_id "
            "CheckoutPage.ref trial_card renews endpoint_id pause skip alert_id acknowledge subject payee_agent_id "
            "order_id grant refuse export_id report_id accept allocation_id project_id"
        ),
        Category.FREE_TEXT: (
            "payout "
            "Milestone.name action artifacts command content decline declined delivery deposit description detail "
            "details disputes escrow events evidence extra failure given_up milestone milestones missing note "
            "noted package payment quote reason receipts redirect_url refunds refused resolution_note resume "
            "purpose_gone return_url settles signals signatures snapshot start stored terms text unknown uri why "
            "sync bills checkout ended_why plans subscription title "
            "charge collection endpoint mail verdict void case unread offered_evidence item vendor sentence purchase "
            "problem summary"
        ),
        Category.NETWORK: "Actor.address",
        Category.FINANCIAL: (
            "lines money_minor movement "
            "amount amount_minor asset asset_minor authorized_minor booked commission_bps commission_minor "
            "undiscounted_commission_bps "
            "credits_minor currency debt_minor default_share_e4 dispute_default_share_e4 fee_minor funded_minor "
            "goods_asset goods_minor "
            "granted_minor moved_minor movements moves paid_minor payee_share payee_share_e4 payment_amount_minor "
            "payment_currency price purpose received_minor refunded_minor released_minor reversal_debt_minor "
            "reversed_minor seen_minor waiting_minor "
            "change creator_bps sold_as listed_minor included_uses grants most_minor order plan prices total_minor "
            "billed requests late_periods due_minor standing tax tax_minor year_bills left_minor paid_before_minor "
            "worth_minor short_minor own_refunds at_list_minor unit_minor keeps_fee times total discounts "
            "recurring share_e4 topup_fee_minor credits_price_minor for_credits_minor"
        ),
        Category.SECRET: "CheckoutPage.url client_secret link pay_url",
        Category.TECHNICAL: (
            "ends_by_suspension suspended "
            "attempt category is_proven rate_e6 gives_up_at lapses_at next_at short tries recovered reversed "
            "paid BalanceTransaction.settled Booked.settled "
            "NotedCommand.name after applied approved at before chain claimed code compared "
            "confirmations count created_at day decide_by decision_seconds default_at deliver_by deliver_seconds "
            "delivered_at differences due_at escrow_frozen evidence_due_at evidence_seconds "
            "evidence_submitted_at evidence_until expires_at expiring failure_code first_poll_seconds "
            "forwarded_before found frozen fulfilling fulfilment fund_by fund_seconds funded given_at "
            "grace_seconds handled hosted kind last last_try late_poll_seconds limit longest_poll_seconds "
            "manual_capture milestones_released names_shown not_asked noted_at now "
            "number occurred_at off_session only_look open_seconds opened_at operator_approvals outcome overdue "
            "overdue_alerted page pays_until provider provider_status quoted_at refundable released requested_at "
            "required_signatures resolved_at retired revalued review_by review_seconds role score_e4 sent_at side "
            "extended_until extended_from review_extended_from default_extended_from evidence_extended_from "
            "is_own "
            "signed_at since source spares_under_way started state status submitted_at through "
            "until updated_at validation_score_e4 validation_threshold_e4 version waiting "
            "accepted back_seconds duplicates following invalid refused_at settle_seconds unassigned "
            "again capped charged due_before built_in everything is_full looks most "
            "failed sent agents changed changes_rate closed_priors done moved_e6 pages planned rate_e4 skipped "
            "stars_e6 sudden empty invoiced month only ready_at due left credit_note asked confirmed "
            "rewarded taken_back made "
            "Plan.name acts_at all anchor api_access at_period_end attempts cancel_at_period_end custom_integrations "
            "deployments end ended_at granted_until interval is_agreed is_live is_per_seat is_proration is_sold "
            "months_granted net_days next_attempt_at paid_at paid_through people period projects quantity seats "
            "trial_days trial_end trial_told zone "
            "announced became charge_now days follow goes_on method paused_for place steps touched renewed waited "
            "delivered forgotten found_behind more over_at seconds stopped told tried "
            "called ladder org_snoozed_until raised_at seen_by_organization severity shared snoozed_until taken "
            "conversions escrows evidence_offered_at has_gap knocks ms parties pays raised step run "
            "alerts notifications digests dropped digest messages unanswered_at SaleTax.entity "
            "answer_by persons expired reported granted changes left_out "
            "settle_until rows files read waits created night ended at_target"
        ),
    },
    {Category.NETWORK: DELETE, Category.SECRET: SEAL, **_GOES},
)

#: Every field of a log line. Secrets and card numbers are taken out of all of them.
LOGS = Place(
    "that a fault can be found",
    IN_LOGS,
    {
        Category.CONTACT: "principal",
        Category.IDENTIFIER: (
            "request_id org_id key_id session_id rule_id workflow_id run_id update_id escrow_id purchase_id run work "
            "recovery_id reversal_id order_id trial_id use_id"
        ),
        Category.FREE_TEXT: "event error exception stack detail why",
        Category.NETWORK: "method path route",
        Category.TECHNICAL: (
            "activity attempt code command count decode hash level logger ms names namespace number part payloads "
            "schedule signal started status step task_queue time update workflow"
        ),
    },
    dict.fromkeys(Category, DELETE),
)

#: What an operator filters runs by, in clear.
SEARCH_ATTRIBUTES: Mapping[str, Shown] = {
    "OrgId": Shown.ID,
    "PayeeOrgId": Shown.ID,
    "AgentId": Shown.ID,
    "State": Shown.STATE,
    "AmountMinor": Shown.AMOUNT,
    "Currency": Shown.AMOUNT,
}


def columns() -> dict[str, Entry]:
    """Return the entry of every column, by `table.column`."""
    return {f"{table}.{name}": entry for table, place in TABLES.items() for name, entry in place.entries()}


def fields() -> dict[str, Entry]:
    """Return the entries of messages: by the field's name, and by `Message.field` where one differs."""
    return dict(MESSAGES.entries())


def log_fields() -> dict[str, Entry]:
    """Return the entry of every field of a log line."""
    return dict(LOGS.entries())
