"""What a page does about each refusal of the API: every code of docs/errors.md is here, which a test sees to."""

from enum import StrEnum

from console.gateway import SILENCE, UNREADABLE, Answer, Problem, Refused


class Reaction(StrEnum):
    """What becomes of a refusal."""

    #: What was typed is at fault: the form again, everything kept, messages at the fields, a new key.
    FIELDS = "fields"
    #: The object is not as the form took it to be: the object as it is now, and "nothing was done".
    CHANGED = "changed"
    #: Money is missing or was declined: the form again, and the way on.
    FUNDS = "funds"
    #: A plan's limit: the form again, and the way up.
    LIMIT = "limit"
    #: Whether it was done is not known: asked again with the same key, never "failed".
    UNKNOWN = "unknown"
    #: Too many requests: the form again with the same key, and when it may be sent.
    WAIT = "wait"
    #: Another operator has to agree first.
    APPROVAL = "approval"
    #: The key was used for something else: that stands, and a fresh form is offered.
    OTHER_CONTENT = "other_content"
    SIGN_IN = "sign_in"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    #: A page of ours sent what the API does not take, which is a fault of the page.
    FAULT = "fault"
    #: Told in the timeline of a run or to machines, and never an answer to a page.
    ELSEWHERE = "elsewhere"


def _table(**codes: str) -> dict[str, Reaction]:
    return {code: Reaction[name.upper()] for name, listed in codes.items() for code in listed.split()}


REACTIONS = _table(
    fields="""
    request.invalid privacy.card_number external_id.taken principal.exists
    usage.invalid_event usage.too_late usage.unreadable usage.model_unknown usage.unit_unpriced usage.unrated
    usage.agent_unpaid usage.unpaid_limit usage.other_currency usage.id_reused billing_run.not_ended
    billing_run.earlier_first
    meter.exists meter.not_chargeable reputation.levels_invalid reputation.own_agent reputation.related
    payment_method.unknown payment_method.expired
    pricing.rule_invalid pricing.floor_above_ceiling pricing.unknown_zone pricing.total_falls pricing.overlap
    pricing.expression_too_long pricing.expression_unsafe pricing.expression_invalid pricing.expression_result
    pricing.no_price pricing.quote_mismatch escrow.amount_mismatch escrow.currency_mismatch
    escrow.refund_exceeds_held payout.above_available payout.below_minimum payment.refund_exceeds_remainder
    payment.amount_too_large payment.part_of_a_slot payment.evidence_refused payment.no_method tax.rate_exists
    credit_note.exceeds_remainder department.exists alert_rule.unknown_metric
    alert_rule.never_fires alert_rule.exists spend_control.exists project.exists notification.channel_exists
    notification.code_refused webhook.url_refused provider.refused statement.not_over invoice.amount_mismatch
    contract.above_limit earnings.not_waivable analytics.unknown analytics.too_much analytics.no_rate
    forecast.too_short secret.refused
    """,
    changed="""
    conflict precondition.failed ledger.hold_ended ledger.hold_expired api_key.limit_reached api_key.revoked
    export.limit_reached export.expired
    invoice_item.limit_reached invoice_item.not_open meter.closed meter.limit_reached usage.not_voidable
    agent.listed contract.not_accepted contract.expired reputation.not_settled reputation.already_given
    reputation.window_closed agent.retired marketplace.retired marketplace.offer_changed marketplace.refunded
    marketplace.ended marketplace.not_renewing marketplace.not_metered marketplace.suspended
    marketplace.refund_window_closed marketplace.used_up marketplace.refunded_before pricing.too_many_rules
    pricing.quote_used pricing.quote_expired escrow.wrong_state escrow.exists escrow.exposure_limit
    escrow.already_signed escrow.payment_mismatch escrow.evidence_closed escrow.delivery_changed
    escrow.delivery_required escrow.evidence_full escrow.deliveries_full escrow.refunds_full escrow.milestone_released
    subscription.exists subscription.same_plan subscription.change_pending subscription.price_changed
    subscription.payment_disputed
    subscription.trial_used subscription.contact_missing subscription.unpaid subscription.wrong_state
    approval.same_operator approval.decided payout.debt_open payout.frozen payout.wrong_state payout.no_funds
    payout.given_up payout.destination_changed payout.no_account payout.account_not_ready
    payout.tax_profile_missing payout.destination_held payout.currency_unsupported
    customer.missing payment.wrong_state payment.refused
    payment.already_refunded payment.disputed payment.fulfilment_under_way payment.refund_not_unknown
    payment.refund_known payment.too_many_refunds payment.refund_needs_operator payment.not_refundable payment.not_paid
    payment.under_way payment.exists payment.evidence_closed
    payment.failed payment.cancelled payment.expired invoice.wrong_state invoice.charge_under_way
    invoice.collected_already legal_entity.unknown tax.service_refused document.no_seller document.no_einvoice
    document.nothing_received
    department.in_use alert_rule.limit_reached spend_control.version spend_control.closed
    report.limit_reached report.period_open
    purchase_order.wrong_state purchase_order.attempt_open purchase_order.attempts_exhausted approval.stale
    insight.taken_elsewhere insight.order_refused revenue.exists revenue.wrong_state revenue.stale
    payment_policy.version free_option.limit_reached purchase_method.limit_reached
    spend_control.has_children budget.pool_closed budget.pool_too_small allocation.no_budget allocation.expired
    allocation.stale
    spend.card card.closed card.pending card.no_address card.no_rate card.order
    routing.run_decided routing.outcome_exists routing.no_choice
    spend.purchase spend.refunded alert.operators_case alert.resolved
    notification.keys_missing notification.limit_reached notification.verified notification.only_recipient
    webhook.secret_missing webhook.limit_reached webhook.wrong_state webhook.delivered webhook.too_many_waiting
    organization.closed organization.not_empty reconciliation.resolved reconciliation.not_bookable session.link_gone
    session.no_public_url session.no_mail
    secret.not_configured secret.unopened secret.limit_reached secret.no_version secret.current
    secret.used spend.secret_use secret.not_rotated secret.rotating secret.rotation_failed
    """,
    funds="ledger.insufficient_funds payment.declined spend.limit_exceeded",
    limit="deployment.limit_reached entitlement.missing subscription.seats_in_use",
    unknown=f"""
    idempotency.in_flight payment.unknown_outcome payment.refund_in_flight escrow.out_of_step provider.unavailable
    payment.fee_not_known secret.unavailable secret.no_answer rate.unavailable rates.bad_file
    tax.service_unavailable service.unavailable statement.being_made internal {SILENCE} {UNREADABLE}
    """,
    wait="""
    rate_limited escrow.too_many_waiting notification.codes_exhausted organization.contacts_exhausted
    invitation.exhausted webhook.requests_exhausted
    """,
    approval="approval.required",
    other_content="idempotency.conflict",
    sign_in="auth.missing auth.invalid session.ended",
    forbidden="""
    auth.forbidden approval.own organization.suspended session.by_link session.needs_key api_key.operator_issued
    escrow.not_a_signatory
    marketplace.own_agent marketplace.related marketplace.not_in_library
    secret.not_granted secret.uses_exhausted secret.host secret.method secret.place
    secret.header
    """,
    not_found="not_found",
    fault="""
    request.content_type request.too_large request.method_not_allowed precondition.missing idempotency.missing
    """,
    elsewhere="""
    secret.unreachable
    changes.too_many_streams usage.foreign_place webhook.bad_signature escrow.operator_approvals_excluded
    escrow.signal_not_sealed escrow.start_refused escrow.signal_unaddressed escrow.operator_unnamed
    escrow.signal_for_another payout.operator_unnamed payout.signal_for_another payout.signal_unaddressed
    payout.signal_not_sealed payment.start_refused payment.signal_not_sealed payment.signal_unaddressed
    payment.signal_for_another payment.operator_unnamed invoice.operator_unnamed invoice.signal_for_another
    invoice.signal_unaddressed invoice.signal_not_sealed alert.signal_for_another alert.signal_unaddressed
    alert.operator_unnamed alert.signal_not_sealed webhook_endpoint.signal_for_another
    purchase_order.signal_for_another purchase_order.signal_unaddressed purchase_order.operator_unnamed
    purchase_order.signal_not_sealed allocation.signal_for_another allocation.signal_unaddressed
    allocation.operator_unnamed allocation.signal_not_sealed secret.signal_for_another secret.signal_unaddressed
    secret.operator_unnamed secret.signal_not_sealed
    webhook_endpoint.signal_unaddressed webhook_endpoint.operator_unnamed webhook_endpoint.signal_not_sealed
    """,
)

#: What a code that is newer than this console is taken for, by its status.
_BY_STATUS = {
    400: Reaction.FAULT,
    401: Reaction.SIGN_IN,
    402: Reaction.FUNDS,
    403: Reaction.FORBIDDEN,
    404: Reaction.NOT_FOUND,
    409: Reaction.CHANGED,
    412: Reaction.CHANGED,
    422: Reaction.FIELDS,
    429: Reaction.WAIT,
}


def reaction_to(problem: Problem) -> Reaction:
    """Return what a page does about a refusal; what is not known for sure is never taken for a failure."""
    known = REACTIONS.get(problem.code)
    if known is not None:
        return known
    return _BY_STATUS.get(problem.status, Reaction.UNKNOWN if problem.status >= 500 else Reaction.FAULT)


def answered(answer: Answer) -> bool:
    """Return whether a section has its answer; False if that is not known yet, so that the section says so.

    Raises:
        Refused: finally, such as by the role: the page is not for this principal.
    """
    if answer.problem is not None and reaction_to(answer.problem) is not Reaction.UNKNOWN:
        raise Refused(answer)
    return answer.ok


#: The title and the sentence of pages that are shown in place of the one that was asked for.
WORDS = {
    Reaction.FIELDS: ("This cannot be shown", "Something in the address is not right. Change it and try again."),
    Reaction.CHANGED: ("This has changed meanwhile", "Nothing was done."),
    Reaction.FUNDS: ("The money does not suffice", "Nothing was taken."),
    Reaction.LIMIT: ("A limit of your plan is reached", "Nothing was done."),
    Reaction.UNKNOWN: ("Not known yet", "There is no answer yet. Nothing that you have sent is lost."),
    Reaction.WAIT: ("Too many requests", "Wait a moment and try again. Nothing was done."),
    Reaction.APPROVAL: ("Another operator has to agree", "What you ask for takes two operators."),
    Reaction.OTHER_CONTENT: (
        "This form was sent before with other content",
        "What was sent first stands, and nothing was done this time. Sent once more it is done as it stands here.",
    ),
    Reaction.FORBIDDEN: ("Your role may not do this", "Ask an owner of the organization for a key that may."),
    Reaction.NOT_FOUND: ("Not found", "There is nothing here, or it belongs to another organization."),
    Reaction.FAULT: ("This page has a fault", "Nothing was done. Tell support the number below."),
    Reaction.ELSEWHERE: ("This page has a fault", "Nothing was done. Tell support the number below."),
    Reaction.SIGN_IN: ("Sign in", "Your session has ended."),
}

#: The status of such a page where the API's own would not do.
STATUSES = {Reaction.FAULT: 502, Reaction.ELSEWHERE: 502}
