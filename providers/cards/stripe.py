"""Stripe Issuing: virtual cards of companies that hold them, over the client that every Stripe adapter shares.

Sources: docs.stripe.com/issuing/controls/real-time-authorizations (the question, its answer and the two seconds),
/issuing/purchases/authorizations, /issuing/purchases/transactions, /issuing/elements. `number` and `cvc` are answered
only where they are expanded, and nothing here expands them.
"""

import json
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import stripe

from providers.cards.base import (
    AuthorizationQuestion,
    AuthorizationRequest,
    AuthorizationSnapshot,
    AuthorizationStatus,
    CardDisputeSnapshot,
    CardDisputeStatus,
    CardholderSnapshot,
    CardSnapshot,
    CardStatus,
    CardTransactionKind,
    Merchant,
    NewCard,
    NewCardholder,
    QuestionAnswer,
    TransactionSnapshot,
    UnreadableQuestion,
)
from providers.payments.base import BadSignature, OutcomeUnknown, ProviderError, ProviderRefused
from providers.payments.events import NO_EVENT, event_name
from providers.payments.stripe import webhooks
from providers.payments.stripe.amounts import from_stripe, to_stripe
from providers.payments.stripe.errors import translated
from providers.payments.stripe.fields import at, field, id_of, metadata_of
from providers.payments.stripe.keys import KEY_LIFETIME, under_key
from providers.payments.stripe.movements import card_dispute_movements, card_movement

T = TypeVar("T")

#: The event that asks. It goes to the endpoint of Issuing's own settings and to no other.
QUESTION = "issuing_authorization.request"

_CARD_STATUSES = {"active": CardStatus.ACTIVE, "inactive": CardStatus.FROZEN, "canceled": CardStatus.CANCELLED}
_SET: Mapping[CardStatus, Any] = {status: word for word, status in _CARD_STATUSES.items()}
_LINE = ["balance_transaction"]
#: How many characters of a cardholder's name are printed.
_PRINTED = 24


class StripeIssuing:
    """Cards of one Stripe account; see `CardIssuer` for the promises and errors."""

    name = "stripe"

    def __init__(
        self, client: stripe.StripeClient, *, webhook_secrets: Sequence[str], tolerance_seconds: int = 300
    ) -> None:
        """Take what it works with.

        Args:
            client: shared by the process, closed by whoever made it.
            webhook_secrets: signing secrets of the endpoint that is asked; none refuses every question.
            tolerance_seconds: how old a question may be.
        """
        self._api = client.v1
        self._secrets = tuple(webhook_secrets)
        self._tolerance_seconds = tolerance_seconds

    async def create_cardholder(self, cardholder: NewCardholder, *, idempotency_key: str) -> CardholderSnapshot:
        """Make a company that holds cards."""
        address = cardholder.address
        billing: stripe.params.issuing.CardholderCreateParamsBillingAddress = {
            "line1": address.line1,
            "city": address.city,
            "postal_code": address.postal_code,
            "country": address.country,
        }
        if address.state is not None:
            billing["state"] = address.state
        params: stripe.params.issuing.CardholderCreateParams = {
            "type": "company",
            "name": _printed(cardholder.name),
            "billing": {"address": billing},
            "metadata": {"org_id": cardholder.org_id},
        }
        if cardholder.email is not None:
            params["email"] = cardholder.email

        async def make(key: str) -> CardholderSnapshot:
            with translated(changes=True):
                made = await self._api.issuing.cardholders.create_async(params, {"idempotency_key": key})
            return _cardholder(made)

        async def find() -> CardholderSnapshot | None:
            with translated(changes=False):
                listed = await self._api.issuing.cardholders.list_async(_recent())
                async for each in listed.auto_paging_iter():
                    if metadata_of(each, "org_id") == cardholder.org_id:
                        return _cardholder(each)
            return None

        return await under_key(make, idempotency_key, find)

    async def create_card(self, card: NewCard, *, idempotency_key: str) -> CardSnapshot:
        """Make a virtual card that can be used at once."""
        controls = card.controls
        limits: list[stripe.params.issuing.CardCreateParamsSpendingControlsSpendingLimit] = [
            {"amount": to_stripe(amount, card.currency), "interval": interval}
            for interval, amount in (
                ("per_authorization", controls.per_authorization_minor),
                ("monthly", controls.per_month_minor),
            )
            if amount is not None
        ]
        spending: stripe.params.issuing.CardCreateParamsSpendingControls = {"spending_limits": limits}
        if controls.categories:
            spending["allowed_categories"] = list(controls.categories)
        params: stripe.params.issuing.CardCreateParams = {
            "type": "virtual",
            "status": "active",
            "cardholder": card.cardholder_ref,
            "currency": card.currency.lower(),
            "metadata": {"card_id": card.card_id},
            "spending_controls": spending,
        }

        async def make(key: str) -> CardSnapshot:
            with translated(changes=True):
                made = await self._api.issuing.cards.create_async(params, {"idempotency_key": key})
            return _card(made)

        async def find() -> CardSnapshot | None:
            with translated(changes=False):
                listed = await self._api.issuing.cards.list_async(_recent() | {"cardholder": card.cardholder_ref})
                async for each in listed.auto_paging_iter():
                    if metadata_of(each, "card_id") == card.card_id:
                        return _card(each)
            return None

        return await under_key(make, idempotency_key, find)

    async def set_status(self, ref: str, status: CardStatus, *, idempotency_key: str) -> CardSnapshot:
        """Change whether a card can be used, and read it again: an answer from memory is as old as the first one."""

        async def change(key: str) -> bool:
            with translated(changes=True):
                await self._api.issuing.cards.update_async(ref, {"status": _SET[status]}, {"idempotency_key": key})
            return True

        try:
            await under_key(change, idempotency_key)
        except ProviderRefused:
            # Stripe refuses any change of a card that is cancelled.
            found = await self.retrieve_card(ref)
            if found.status is not CardStatus.CANCELLED:
                raise
            return found
        return await _after_change(lambda: self.retrieve_card(ref))

    async def retrieve_card(self, ref: str) -> CardSnapshot:
        """Return a card."""
        with translated(changes=False):
            return _card(await self._api.issuing.cards.retrieve_async(ref))

    async def display_key(self, ref: str, nonce: str) -> str:
        """Make the ephemeral key of a card for the browser that made the nonce; it ends by itself after minutes.

        Making one twice does no harm, so it has no key of its caller.
        """
        with translated(changes=False):
            made = await self._api.ephemeral_keys.create_async(
                {"issuing_card": ref, "nonce": nonce}, {"stripe_version": stripe.api_version}
            )
        return str(made.secret)

    async def retrieve_authorization(self, ref: str) -> AuthorizationSnapshot:
        """Return an authorization."""
        with translated(changes=False):
            found = await self._api.issuing.authorizations.retrieve_async(
                ref, {"expand": ["transactions.balance_transaction"]}
            )
        return _authorization(found)

    async def retrieve_transaction(self, ref: str) -> TransactionSnapshot:
        """Return a transaction."""
        with translated(changes=False):
            return _transaction(await self._api.issuing.transactions.retrieve_async(ref, {"expand": _LINE}))

    async def retrieve_dispute(self, ref: str) -> CardDisputeSnapshot:
        """Return a dispute."""
        with translated(changes=False):
            found = await self._api.issuing.disputes.retrieve_async(ref, {"expand": ["balance_transactions"]})
        return _dispute(found)

    def verify_question(self, body: bytes, headers: Mapping[str, str]) -> AuthorizationQuestion:
        """Check the signature against each secret in use, and read what is asked."""
        event = webhooks.verify(body, headers, self._secrets, tolerance_seconds=self._tolerance_seconds)
        if event.type != QUESTION:
            raise BadSignature(
                f"Only {QUESTION} is answered here; send other events to /webhooks/stripe.", code="webhook.malformed"
            )
        data: Any = event.payload["data"]
        try:
            return _question(event.event_id, data["object"], livemode=event.livemode)
        except NO_EVENT as error:
            raise UnreadableQuestion("The signed body is not a question.", code="webhook.malformed") from error

    def answer(self, *, approved: bool) -> QuestionAnswer:
        """Answer with the version of the API that the answer is written in, without which Stripe takes none."""
        headers = {"content-type": "application/json", "stripe-version": stripe.api_version}
        return QuestionAnswer(status=200, headers=headers, body=json.dumps({"approved": approved}).encode())


def _recent() -> Any:
    """Return what lists all that may have been made under a key that Stripe still knows."""
    return {"limit": 100, "created": {"gte": int((datetime.now(UTC) - KEY_LIFETIME).timestamp())}}


async def _after_change(read: Callable[[], Awaitable[T]]) -> T:
    """Read after a change: that it cannot be read must not look as if nothing had happened."""
    try:
        return await read()
    except ProviderError as error:
        raise OutcomeUnknown(error.detail, code=error.code) from error


def _printed(name: str) -> str:
    """Return what can be printed of a name: at most 24 Latin letters, spaces and some signs, without accents."""
    plain = re.sub(r"[^A-Za-z .,'-]", "", unicodedata.normalize("NFKD", name))
    return " ".join(plain.split())[:_PRINTED].strip(" .,'-") or "Cardholder"


def _cardholder(cardholder: stripe.issuing.Cardholder) -> CardholderSnapshot:
    blocked = field(cardholder.requirements, "disabled_reason")
    if blocked is None and cardholder.status != "active":
        blocked = cardholder.status
    return CardholderSnapshot(ref=cardholder.id, org_id=metadata_of(cardholder, "org_id"), blocked=blocked)


def _card(card: stripe.issuing.Card) -> CardSnapshot:
    return CardSnapshot(
        ref=card.id,
        card_id=metadata_of(card, "card_id"),
        cardholder_ref=str(id_of(card.cardholder)),
        status=_CARD_STATUSES.get(card.status, CardStatus.FROZEN),
        currency=card.currency.upper(),
        brand=card.brand,
        last4=card.last4,
        expires_year=card.exp_year,
        expires_month=card.exp_month,
    )


def _merchant(data: Any) -> Merchant:
    """Read a merchant of the SDK's object or of a webhook's."""
    read: Callable[[str], Any] = data.get if isinstance(data, dict) else lambda name: field(data, name)
    name, category = read("name") or read("network_id"), read("category")
    return Merchant(name=str(name), category=str(category), country=read("country"), city=read("city"))


def _authorization(authorization: stripe.issuing.Authorization) -> AuthorizationSnapshot:
    currency = authorization.currency
    return AuthorizationSnapshot(
        ref=authorization.id,
        card_ref=authorization.card.id,
        status=AuthorizationStatus(authorization.status),
        approved=authorization.approved,
        amount_minor=from_stripe(authorization.amount, currency),
        currency=currency.upper(),
        merchant=_merchant(authorization.merchant_data),
        requests=tuple(
            AuthorizationRequest(
                amount_minor=from_stripe(each.amount, each.currency),
                approved=each.approved,
                reason=each.reason,
                created_at=at(each.created),
            )
            for each in sorted(authorization.request_history, key=lambda each: each.created)
        ),
        transactions=tuple(map(_transaction, sorted(authorization.transactions, key=lambda each: each.created))),
        livemode=authorization.livemode,
        created_at=at(authorization.created),
    )


def _transaction(transaction: stripe.issuing.Transaction) -> TransactionSnapshot:
    currency = transaction.currency
    return TransactionSnapshot(
        ref=transaction.id,
        kind=CardTransactionKind(transaction.type),
        authorization_ref=id_of(transaction.authorization),
        card_ref=str(id_of(transaction.card)),
        amount_minor=from_stripe(abs(transaction.amount), currency),
        currency=currency.upper(),
        merchant=_merchant(transaction.merchant_data),
        dispute_ref=id_of(transaction.dispute),
        created_at=at(transaction.created),
        movement=card_movement(transaction),
    )


def _dispute(dispute: stripe.issuing.Dispute) -> CardDisputeSnapshot:
    return CardDisputeSnapshot(
        ref=dispute.id,
        transaction_ref=str(id_of(dispute.transaction)),
        status=CardDisputeStatus(dispute.status),
        amount_minor=from_stripe(dispute.amount, dispute.currency),
        currency=dispute.currency.upper(),
        created_at=at(dispute.created),
        movements=tuple(card_dispute_movements(dispute)),
    )


def _question(event_id: str, thing: dict[str, Any], *, livemode: bool) -> AuthorizationQuestion:
    asked, card = thing["pending_request"], thing["card"]
    currency = str(asked["currency"])
    return AuthorizationQuestion(
        event_id=event_id,
        authorization_ref=event_name(thing, "id"),
        number=len(thing["request_history"]),
        card_ref=event_name(card, "id") if isinstance(card, dict) else str(card),
        amount_minor=from_stripe(int(asked["amount"]), currency),
        authorized_minor=from_stripe(int(thing["amount"]), str(thing["currency"])) if thing["approved"] else 0,
        currency=currency.upper(),
        merchant=_merchant(thing["merchant_data"]),
        livemode=livemode,
        created_at=at(int(thing["created"])),
    )
