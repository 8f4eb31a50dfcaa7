"""An organization whose agent pays with a card, and an issuer of which tests say what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from domain.common.accounts import org_credits, platform
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from models.cards.card import Card
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from providers.cards.base import (
    AuthorizationQuestion,
    AuthorizationRequest,
    AuthorizationSnapshot,
    AuthorizationStatus,
    CardDisputeSnapshot,
    CardholderSnapshot as Holder,
    CardSnapshot,
    CardStatus,
    CardTransactionKind,
    Merchant,
    NewCard,
    NewCardholder,
    QuestionAnswer,
    SpendingControls,
    TransactionSnapshot,
)
from runtime.database import Database, driver_connection
from runtime.identity import new_id

NOW = datetime.now(UTC)
CREDIT = 10**6
SHOP = Merchant(name="Corner Shop", category="eating_places_restaurants", country="US", city="Vienna")
_numbers = count(1)


class World:
    """One organization with credits that it has paid, one agent and one card of it."""

    def __init__(self, database: Database) -> None:
        self.database, self.org, self.agent, self.card = database, new_id("org"), new_id("agt"), new_id("crd")
        self.ref = f"ic_{self.card}"

    async def begin(self, credits: int = 1_000, **card: object) -> "World":
        async with self.database.platform() as session:
            session.add(Organization(id=self.org, name="x", created_by="x", command_id=self.org))
            await session.flush()
            agent = Agent(id=self.agent, org_id=self.org, name="Buyer", visibility="private", pricing_model="free")
            agent.created_by, agent.command_id = "x", self.agent
            session.add(agent)
            await session.flush()
            session.add(new_card(self.card, self.org, self.agent, self.ref, **card))
            driver = await driver_connection(session)
            await set_credit_rate(driver, asset="USD", credit_minor=CREDIT, asset_minor=10, starts_at=NOW)
        await self.give(credits)
        return self

    async def give(self, credits: int, *, paid: bool = True, cents: int | None = None, asset: str = "USD") -> None:
        """Give credits that cost 0.10 each, or `cents` in all."""
        if not credits:
            return
        cents = credits * 10 if cents is None else cents
        terms = LotTerms(source=LotSource.PURCHASE, paid_minor=cents, paid_asset=asset)
        async with self.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            if paid:
                await ledger.post(
                    key=new_id("key"),
                    kind="test.paid",
                    source=platform("exchange", asset),
                    destination=platform("deferred_revenue", asset),
                    amount_minor=cents,
                    effective_at=NOW,
                )
            await ledger.post(
                key=new_id("key"),
                kind="test.bought",
                source=platform("credit_issuance", "CREDIT"),
                destination=org_credits(self.org),
                amount_minor=credits * CREDIT,
                effective_at=NOW,
                org_id=self.org,
                lots=terms if paid else LotTerms(source=LotSource.PROMOTION),
            )

    async def balance(self) -> tuple[int, int]:
        """Return the credits that are there, and those of them that are held; in whole credits."""
        async with self.database.platform() as session:
            found = await Ledger(await driver_connection(session)).balance(org_credits(self.org))
        return found.posted_minor // CREDIT, found.pending_minor // CREDIT


def new_card(card_id: str, org_id: str, agent_id: str, ref: str, **more: object) -> Card:
    values: dict[str, object] = {
        **{"id": card_id, "org_id": org_id, "agent_id": agent_id, "ref": ref, "command_id": card_id},
        **{"name": "Travel", "currency": "USD", "categories": [], "status": "active", "created_by": "x"},
        **{"brand": "Visa", "last4": "4242", "expires_year": 2030, "expires_month": 1},
    }
    return Card(**values | more)


def question(
    world: World, cents: int, *, ref: str | None = None, number: int = 0, **more: object
) -> AuthorizationQuestion:
    values: dict[str, object] = {
        **{"event_id": f"evt_{next(_numbers)}", "authorization_ref": ref or fresh("iauth"), "number": number},
        **{"card_ref": world.ref, "amount_minor": cents, "authorized_minor": 0, "currency": "USD"},
        **{"merchant": SHOP, "livemode": False, "created_at": NOW},
    }
    return AuthorizationQuestion(**values | more)


def fresh(kind: str) -> str:
    return f"{kind}_{new_id('key')[4:]}"


def authorization(
    world: World,
    ref: str,
    *requests: tuple[int, bool],
    status: AuthorizationStatus = AuthorizationStatus.PENDING,
    transactions: tuple[TransactionSnapshot, ...] = (),
) -> AuthorizationSnapshot:
    approved = [amount for amount, is_approved in requests if is_approved]
    return AuthorizationSnapshot(
        ref=ref,
        card_ref=world.ref,
        status=status,
        approved=bool(approved),
        amount_minor=sum(approved),
        currency="USD",
        merchant=SHOP,
        requests=tuple(
            AuthorizationRequest(amount_minor=amount, approved=is_approved, reason="", created_at=NOW)
            for amount, is_approved in requests
        ),
        transactions=transactions,
        livemode=False,
        created_at=NOW,
    )


def transaction(
    world: World, cents: int, ref: str | None, kind: CardTransactionKind = CardTransactionKind.CAPTURE
) -> TransactionSnapshot:
    own = fresh("ipi")
    is_capture = kind is CardTransactionKind.CAPTURE
    return TransactionSnapshot(
        ref=own,
        kind=kind,
        authorization_ref=ref,
        card_ref=world.ref,
        amount_minor=cents,
        currency="USD",
        merchant=SHOP,
        dispute_ref=None,
        created_at=NOW,
        movement=moved(
            own,
            -cents if is_capture else cents,
            BalanceTransactionKind.CARD_CAPTURE if is_capture else BalanceTransactionKind.CARD_REFUND,
        ),
    )


def moved(key: str, cents: int, kind: BalanceTransactionKind) -> BalanceTransaction:
    return BalanceTransaction(
        key=key, kind=kind, amount_minor=cents, fee_minor=0, currency="USD", occurred_at=NOW, ref=key
    )


def _bare(ref: str) -> NewCard:
    return NewCard(card_id=ref, cardholder_ref="ich_1", currency="USD", controls=SpendingControls())


@dataclass
class FakeIssuer:
    """Makes cards, and reports what a test has put here."""

    name: str = "stripe"
    made: list[NewCard] = field(default_factory=list)
    holders: list[NewCardholder] = field(default_factory=list)
    cards: dict[str, CardSnapshot] = field(default_factory=dict)
    authorizations: dict[str, AuthorizationSnapshot] = field(default_factory=dict)
    transactions: dict[str, TransactionSnapshot] = field(default_factory=dict)
    disputes: dict[str, CardDisputeSnapshot] = field(default_factory=dict)
    asked: AuthorizationQuestion | None = None

    async def create_cardholder(self, cardholder: NewCardholder, *, idempotency_key: str) -> Holder:
        self.holders.append(cardholder)
        return Holder(ref=f"ich_{cardholder.org_id}", org_id=cardholder.org_id, blocked=None)

    async def create_card(self, card: NewCard, *, idempotency_key: str) -> CardSnapshot:
        self.made.append(card)
        made = CardSnapshot(
            ref=f"ic_{card.card_id}",
            card_id=card.card_id,
            cardholder_ref=card.cardholder_ref,
            status=CardStatus.ACTIVE,
            currency=card.currency,
            brand="Visa",
            last4="4242",
            expires_year=2030,
            expires_month=1,
        )
        return self.cards.setdefault(made.ref, made)

    async def set_status(self, ref: str, status: CardStatus, *, idempotency_key: str) -> CardSnapshot:
        known = self.cards.get(ref) or await self.create_card(_bare(ref), idempotency_key=idempotency_key)
        self.cards[ref] = replace(known, ref=ref, status=status)
        return self.cards[ref]

    async def retrieve_card(self, ref: str) -> CardSnapshot:
        return self.cards[ref]

    async def display_key(self, ref: str, nonce: str) -> str:
        return f"ek_{ref}_{nonce}"

    async def retrieve_authorization(self, ref: str) -> AuthorizationSnapshot:
        return self.authorizations[ref]

    async def retrieve_transaction(self, ref: str) -> TransactionSnapshot:
        return self.transactions[ref]

    async def retrieve_dispute(self, ref: str) -> CardDisputeSnapshot:
        return self.disputes[ref]

    def verify_question(self, body: bytes, headers: Mapping[str, str]) -> AuthorizationQuestion:
        assert self.asked is not None
        return self.asked

    def answer(self, *, approved: bool) -> QuestionAnswer:
        body = b'{"approved": true}' if approved else b'{"approved": false}'
        return QuestionAnswer(status=200, headers={"content-type": "application/json"}, body=body)
