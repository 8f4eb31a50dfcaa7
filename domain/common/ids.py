"""Ids and idempotency keys: construction, scope and maximum length.

An id is a TypeID (https://github.com/jetify-com/typeid, version 0.3 of the specification): the kind as a prefix, `_`
and a UUIDv7 (RFC 9562) in 26 characters of Crockford's base 32, so ids of one kind sort by the time they were made. An
id that is derived from another name has 128 bits of its hash instead. The module is pure: the clock and the randomness
come from the caller (`runtime/identity.py`).
"""

import hashlib
import json
import re
from datetime import date
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))
#: The part of an id after the prefix, as a regular expression. A first digit above 7 would exceed 128 bits.
SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"
#: An id of any kind.
ID = rf"[a-z](?:[a-z_]{{0,61}}[a-z])?_{SUFFIX}"
_ID = re.compile(ID)

_SECRET_USE, _CARD = "secret-use:", "card:"

#: The longest idempotency key that a client may send.
MAX_CLIENT_KEY_LENGTH = 255
#: The longest key or workflow id that this module returns. Temporal's own limit is 1,000 bytes.
MAX_KEY_LENGTH = 200


def make_id(prefix: str, *, unix_ms: int, entropy: bytes) -> str:
    """Make an id from a time in milliseconds and ten random bytes."""
    if len(entropy) != 10:
        raise ValueError("a UUIDv7 takes ten bytes of entropy")
    tail = int.from_bytes(entropy, "big")
    rand_a, rand_b = tail >> 68, tail & ((1 << 62) - 1)
    number = (unix_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return _written(prefix, number)


def is_id(text: str, prefix: str) -> bool:
    """Return whether the text is a TypeID with that prefix; other texts are never queried."""
    return text[:-27] == prefix and _ID.fullmatch(text) is not None


def escrow_id_of(contract_id: str) -> str:
    """Id of a contract's escrow: the contract's with the escrow's prefix, so creating it twice gives one row."""
    return "esc_" + contract_id.removeprefix("ctr_")


def contract_id_of(escrow_id: str) -> str:
    """Contract id of an escrow, see `escrow_id_of`."""
    return "ctr_" + escrow_id.removeprefix("esc_")


def escrow_workflow_id(contract_id: str) -> str:
    """Workflow id of a contract's escrow."""
    return bounded(f"escrow/{contract_id}")


def command_id(org_id: str | None, principal: str, client_key: str) -> str:
    """Command id from sender and client key; two senders may choose the same key."""
    return "cmd_" + hashlib.sha256(f"{org_id or 'platform'}\x00{principal}\x00{client_key}".encode()).hexdigest()[:40]


def escrow_transfer_key(escrow_id: str, step: str, command: str) -> str:
    """Key of a transfer of an escrow: its scope, the step and the command that asked for it."""
    return bounded(f"escrow:{escrow_id}:{step}:{command}")


def export_workflow_id(export_id: str) -> str:
    """Workflow id of an export."""
    return bounded(f"export/{export_id}")


def payment_workflow_id(payment_id: str) -> str:
    """Workflow id of a payment."""
    return bounded(f"payment/{payment_id}")


def dispute_id_of(provider: str, ref: str) -> str:
    """Id of a chargeback from its provider's id, so that the same dispute always has one id."""
    return uuid_id("dsp", UUID(bytes=hashlib.sha256(f"{provider}:{ref}".encode()).digest()[:16]))


def refund_id_of(payment_id: str, command: str) -> str:
    """Id of the refund that a command requests; repeating the command gives the same id.

    Providers need an id unique among all refunds; a command's is unique within a payment only.
    """
    return unscoped_refund_id_of(f"{payment_id}:{command}")


def unscoped_refund_id_of(command: str) -> str:
    """Return the former id of a command's refund, which did not include the payment; for lookups only."""
    return uuid_id("rfd", UUID(bytes=hashlib.sha256(f"refund:{command}".encode()).digest()[:16]))


def chargeback_command_id(payment_id: str) -> str:
    """Id of the one command by which a charged-back payment freezes its escrow."""
    return bounded(f"chargeback:{payment_id}")


def provider_event_workflow_id(provider: str, event_id: str) -> str:
    """Workflow id of a provider's event."""
    return bounded(f"event/{provider}/{event_id}")


def report_workflow_id(report_id: str, period: str) -> str:
    """Workflow id of a report's period."""
    return bounded(f"report/{report_id}/{period}")


def digest_workflow_id(recipient: str, digest: str) -> str:
    """Return the id of the workflow that sends a digest to its recipient.

    It contains a hash of organization and principal, because workflow ids are visible in the Temporal UI and names of
    principals must not be.
    """
    return bounded(f"digest/{uuid_id('rcp', UUID(bytes=hashlib.sha256(recipient.encode()).digest()[:16]))}/{digest}")


def customer_workflow_id(org_id: str) -> str:
    """Id of the workflow that makes an organization a customer."""
    return bounded(f"customer/{org_id}")


def payment_key(payment_id: str, step: str, command: str | None = None) -> str:
    """Key of a provider call for a payment: its scope, the step, and the command that asked for it, if one did."""
    return bounded(f"payment:{payment_id}:{step}" + (f":{command}" if command else ""))


def payment_transfer_key(payment_id: str, step: str, number: int) -> str:
    """Key of a transfer of a payment: its scope and the event, whose number is unique within it."""
    return bounded(f"payment:{payment_id}:{step}:{number}")


def customer_key(org_id: str) -> str:
    """Key of the one customer of an organization at a provider."""
    return bounded(f"customer:{org_id}")


def customer_command_key(org_id: str, step: str, command: str) -> str:
    """Key of a change of an organization's customer at a provider, by the command that asked for it."""
    return bounded(f"customer:{org_id}:{step}:{command}")


def payout_id_of(command: str) -> str:
    """Id of the payout that a command requests; repeating the command gives the same id."""
    return uuid_id("po", UUID(bytes=hashlib.sha256(f"payout:{command}".encode()).digest()[:16]))


def risk_case_workflow_id(case_id: str) -> str:
    """Workflow id of a case of suspected fraud."""
    return bounded(f"risk-case/{case_id}")


def payout_workflow_id(payout_id: str) -> str:
    """Workflow id of a payout."""
    return bounded(f"payout/{payout_id}")


def payout_key(payout_id: str, step: str, part: str | None = None) -> str:
    """Key of a ledger transfer of a payout, or of that at the provider: its scope, the step and a part of it."""
    return bounded(f"payout:{payout_id}:{step}" + (f":{part}" if part else ""))


def payout_schedule_key(org_id: str, day: date, currency: str | None = None, part: int = 1) -> str:
    """Key of a part of the payout of an organization's schedule on a day, in its bank account's currency or another."""
    named = f":{currency}" if currency else ""
    return bounded(f"payout-schedule:{org_id}:{day.isoformat()}{named}" + (f":{part}" if part > 1 else ""))


def recovery_id_of(payment_id: str, cause: str) -> str:
    """Id of the recovery of a payment's loss, by its cause: a dispute, a refund, or a reversal."""
    return uuid_id("rcv", UUID(bytes=hashlib.sha256(f"recovery:{payment_id}:{cause}".encode()).digest()[:16]))


def reversal_id_of(recovery_id: str, source: str, payout_id: str) -> str:
    """Id of the reversal of a payout for a share of a recovery."""
    scope = f"reversal:{recovery_id}:{source}:{payout_id}"
    return uuid_id("trr", UUID(bytes=hashlib.sha256(scope.encode()).digest()[:16]))


def recovery_key(scope_id: str, step: str, part: str | None = None) -> str:
    """Key of a transfer of a recovery or reversal, or of the one reversal at the provider."""
    return bounded(f"recovery:{scope_id}:{step}" + (f":{part}" if part else ""))


def creator_key(org_id: str, step: str, command: str | None = None) -> str:
    """Key of a provider call for an organization's account for payouts: the account itself, or a link to its page."""
    return bounded(f"creator:{org_id}:{step}" + (f":{command}" if command else ""))


def creator_account_key(org_id: str, country: str, email: str | None, replaces: str | None) -> str:
    """Key of the call that creates an organization's payout account, made of all request parameters.

    So a corrected request after a refusal has another key, and so has an account that replaces a deleted one.

    Args:
        org_id: the organization.
        country: where it is.
        email: of its owner, where the account has one.
        replaces: the provider's id of the account that is gone; None for the first one.
    """
    asked = hashlib.sha256(json.dumps([country, email, replaces]).encode()).hexdigest()[:32]
    return creator_key(org_id, "account", asked)


def reconciliation_run_id(scope: str) -> str:
    """Id of the run of a scope: a provider and a day, or the command that requested it."""
    return uuid_id("rcn", UUID(bytes=hashlib.sha256(scope.encode()).digest()[:16]))


def reconciliation_workflow_id(provider: str, name: str) -> str:
    """Workflow id of a reconciliation: by its day, or by the requested run."""
    return bounded(f"reconciliation/{provider}/{name}")


def correction_key(difference_id: str, times_opened: int) -> str:
    """Key of the correction of a discrepancy; one that occurs again is corrected again."""
    return bounded(f"correction:{difference_id}:{times_opened}")


def correction_movement_key(key: str, number: int) -> str:
    """Key of a transfer that corrects the booking of another key; the first correction has no number."""
    return f"{key}:correction" if number == 1 else f"{key}:correction:{number}"


def invoice_transfer_key(invoice_id: str, step: str) -> str:
    """Key of a transfer of an invoice: it is issued once, and voided once."""
    return bounded(f"invoice:{invoice_id}:{step}")


def billed_period_key(org_id: str, month: str) -> str:
    """Id of the command that invoices an organization for a month."""
    return bounded(f"billing:{org_id}:{month}")


def invoice_workflow_id(invoice_id: str) -> str:
    """Id of the workflow that collects an invoice."""
    return bounded(f"invoice/{invoice_id}")


def invoice_charge_command_id(invoice_id: str, attempt: int, *, page: bool = False) -> str:
    """Id of the command that creates the payment of an attempt, or the hosted page for its payer."""
    return bounded(f"invoice:{invoice_id}:{'page' if page else 'charge'}:{attempt}")


def invoice_payment_id(invoice_id: str, attempt: int, *, unix_ms: int, page: bool = False) -> str:
    """Return the id of an attempt's payment, derived from the attempt, so that every try has the same id.

    The provider's idempotency key is derived from it. `unix_ms` is the due time of the attempt.
    """
    named = invoice_charge_command_id(invoice_id, attempt, page=page)
    return make_id("pay", unix_ms=unix_ms, entropy=hashlib.sha256(named.encode()).digest()[:10])


def invoice_event_mail_key(invoice_id: str, number: int) -> str:
    """Key of the one mail of an event of an invoice's collection."""
    return bounded(f"invoice:{invoice_id}:event:{number}")


def invoice_mail_key(invoice_id: str) -> str:
    """Key of the one mail about a new invoice."""
    return bounded(f"invoice:{invoice_id}:issued")


def billing_run_workflow_id(month: str) -> str:
    """Id of the run of a month's invoices that an operator starts."""
    return bounded(f"monthly-invoicing/{month}")


def deployment_transfer_key(subject_id: str, step: str, number: int) -> str:
    """Key of a transfer of slots: the project or organization that caused it, the step, and the event's number.

    Events are numbered within the organization, so deploying a project again is another transfer.
    """
    return bounded(f"deployment:{subject_id}:{step}:{number}")


def spend_key(principal: str, client_key: str) -> str:
    """Key of a charge, a reservation or its change within an organization, by sender and client key.

    The case of the principal does not matter.
    """
    return bounded(f"{principal.casefold()}/{client_key}")


def secret_use_key(use_id: str) -> str:
    """Key of the reservation that pays for the use of a secret. Clients cannot choose it: their keys have a slash."""
    return bounded(f"{_SECRET_USE}{use_id}")


def is_of_secret_use(key: str) -> bool:
    """Return whether a key within an organization is one of `secret_use_key`."""
    return key.startswith(_SECRET_USE) and "/" not in key


def signup_command_id(org_id: str) -> str:
    """Id of the one command that grants an organization its signup bonus."""
    return bounded(f"signup:{org_id}")


def usage_sync_workflow_id(command: str) -> str:
    """Id of the usage sync that a command orders."""
    return bounded(f"usage-sync/{command}")


def auto_topup_workflow_id(org_id: str, number: int) -> str:
    """Id of the run that buys credits for an organization's low balance."""
    return bounded(f"auto-topup/{org_id}/{number}")


def escalation_workflow_id(alert_id: str) -> str:
    """Id of the run that escalates an alert."""
    return bounded(f"escalation/{alert_id}")


def allocation_workflow_id(project_id: str, night: date) -> str:
    """Id of the nightly run of a project."""
    return bounded(f"allocation/{project_id}/{night.isoformat()}")


def rotation_workflow_id(secret_id: str) -> str:
    """Id of the run that rotates a secret."""
    return bounded(f"secret-rotation/{secret_id}")


def allocation_key(allocation_id: str, subject_id: str) -> str:
    """Key of a budget's change by an allocation."""
    return bounded(f"allocation:{allocation_id}:{subject_id}")


def trial_key(trial_id: str, stage: int) -> str:
    """Key of the payment of a trial's stage; 0 opens its budget."""
    return bounded(f"trial:{trial_id}:{stage}")


def purchase_order_workflow_id(order_id: str) -> str:
    """Id of the run that waits for the approval of a purchase order."""
    return bounded(f"purchase-order/{order_id}")


def auto_topup_command_id(org_id: str, number: int) -> str:
    """Id of the command of the payment for an organization's low balance."""
    return bounded(f"auto-topup:{org_id}:{number}")


def card_key(card_id: str, step: str, command: str | None = None) -> str:
    """Key of a call to the issuer for a card or a cardholder: its scope, the step, a command."""
    return bounded(f"card:{card_id}:{step}" + (f":{command}" if command else ""))


def card_hold_key(ref: str, step: str, part: str) -> str:
    """Key of a spend for a card, or of its change: the issuer's id of the cause, the step, and a part."""
    return bounded(f"{_CARD}{ref}:{step}:{part}")


def is_of_card(key: str) -> bool:
    """Return whether a key within an organization is one of `card_hold_key`."""
    return key.startswith(_CARD) and "/" not in key


def card_transfer_key(movement: str) -> str:
    """Key of the one transfer of a movement of the platform's balance at the issuer of cards."""
    return bounded(f"card-movement:{movement}")


def probe_command_id(what: str) -> str:
    """Id of a command of the probe: one for all runs, or for the run in `what`."""
    return bounded(f"probe:{what}")


def subscription_id_of(command: str) -> str:
    """Id of the subscription that a command makes; repeating the command gives the same id."""
    return uuid_id("sub", UUID(bytes=hashlib.sha256(f"subscription:{command}".encode()).digest()[:16]))


def subscription_workflow_id(subscription_id: str) -> str:
    """Workflow id of a subscription."""
    return bounded(f"subscription/{subscription_id}")


def subscription_key(subscription_id: str, order: str, command: str) -> str:
    """Key of a provider call for a subscription: its scope, what was ordered, and the command that ordered it."""
    return bounded(f"subscription:{subscription_id}:{order}:{command}")


def subscription_bill_command(provider: str, bill_ref: str) -> str:
    """Id of the one command that issues our invoice for a provider's bill."""
    return bounded(f"subscription-bill:{provider}:{bill_ref}")


def subscription_grant_key(subscription_id: str, grant: str) -> str:
    """Key of the credits that a subscription grants: for a bill and a month."""
    return bounded(f"subscription:{subscription_id}:grant:{grant}")


def subscription_debt_key(subscription_id: str, grant: str) -> str:
    """Key of what the credits of a grant pay of the organization's debt."""
    return bounded(f"subscription:{subscription_id}:debt:{grant}")


def subscription_return_key(subscription_id: str, cause: str) -> str:
    """Return the key of a transfer that claws credits back; `cause` is unique within the subscription."""
    return bounded(f"subscription:{subscription_id}:return:{cause}")


def subscription_hold_key(subscription_id: str, cause: str, step: str) -> str:
    """Return the key that begins (`begin`) or ends (`end`) a hold of credits; see `subscription_return_key`."""
    return bounded(f"subscription:{subscription_id}:hold:{step}:{cause}")


def dispute_cause(event: str, payment_id: str, version: int) -> str:
    """Cause: the payment event that holds, claws back or restores its bill's credits."""
    return f"{event}:{payment_id}:{version}"


def give_up_cause(command_id: str) -> str:
    """Cause: the write-off of an invoice that claws back its bill's credits."""
    return f"given_up:{command_id}"


def recovery_cause(recovery_id: str, number: int) -> str:
    """Cause: a clawback of credits that were returned after their bill was lost; a recovery may have several."""
    return f"recovery:{recovery_id}:{number}"


def subscription_restore_key(subscription_id: str, cause: str, number: int) -> str:
    """Return the key of a transfer that restores clawed-back credits, one of several; see `subscription_return_key`."""
    return bounded(f"subscription:{subscription_id}:restore:{number}:{cause}")


def subscription_tier_command(subscription_id: str, number: int) -> str:
    """Id of the command by which a subscription's event changes its organization's tier."""
    return bounded(f"subscription:{subscription_id}:tier:{number}")


def accrual_key(day: str, first: str) -> str:
    """Key of the revenue of a page of subscriptions for a day, by the first bill of the page."""
    return bounded(f"subscription-accrual:{day}:{first}")


def grant_key(org_id: str, command: str) -> str:
    """Key of a credit grant."""
    return bounded(f"grant:{org_id}:{command}")


def earnings_key(org_id: str, step: str, command: str) -> str:
    """Key of a conversion of earnings, or of a debt that it pays: its scope, the step and the command."""
    return bounded(f"earnings:{org_id}:{step}:{command}")


def sale_tax_key(command: str) -> str:
    """Return the key of a sale's tax calculation, the same for all attempts of the purchase command."""
    return bounded(f"sale:{command}")


def quote_tax_key(org_id: str, what: str, day: date) -> str:
    """Return the key of a tax quote for a sale on a day; `what` names the product."""
    return bounded(f"quote:{org_id}:{what}:{day.isoformat()}")


def renewal_command_id(purchase_id: str, tries: int) -> str:
    """Id of the command of an attempt to pay for a purchase's next period."""
    return bounded(f"renewal:{purchase_id}:{tries}")


def purchase_key(purchase_id: str, step: str) -> str:
    """Key of a transfer of a purchase on the marketplace: it is paid, shared and refunded once."""
    return bounded(f"purchase:{purchase_id}:{step}")


def webhook_endpoint_workflow_id(endpoint_id: str) -> str:
    """Workflow id of a webhook endpoint."""
    return bounded(f"webhook-endpoint/{endpoint_id}")


def bounded(text: str) -> str:
    """Cut a key or workflow id to `MAX_KEY_LENGTH` bytes; a cut one ends in the hash of the whole."""
    raw = text.encode()
    if len(raw) <= MAX_KEY_LENGTH:
        return text
    digest = hashlib.sha256(raw).hexdigest()
    return raw[: MAX_KEY_LENGTH - 65].decode(errors="ignore") + ":" + digest


def uuid_id(prefix: str, value: UUID) -> str:
    """Write a UUID that the database made as an id with a prefix, in the form of `make_id`."""
    return _written(prefix, value.int)


def _written(prefix: str, number: int) -> str:
    return f"{prefix}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def transfer_id(value: UUID) -> str:
    """Write a transfer's primary key as `tr_…`, which sorts as the keys do."""
    return uuid_id("tr", value)


def uuid_of(text: str) -> UUID:
    """Read the UUID back from an id; the id must have its form, see `is_id`."""
    number = 0
    for digit in text.rpartition("_")[2]:
        number = number << 5 | _ALPHABET.index(digit)
    return UUID(int=number)


def public_reference(kind: str, kept: str | None) -> str | None:
    """Return the public form of a transfer's reference: the books store the bare UUID of a spend.

    A captured reservation is a `hold_…`, any other spend a `spd_…`.
    """
    try:
        return None if kept is None else uuid_id("hold" if kind == "use" else "spd", UUID(kept))
    except ValueError:
        return kept


def stored_reference(shown: str) -> str:
    """Return the stored form of a reference, see `public_reference`."""
    return str(uuid_of(shown)) if is_id(shown, "spd") or is_id(shown, "hold") else shown
