"""Credits and slots that are taxed when they are sold: tax once, on what was kept, and never again on what they pay."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import select, text

from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.sale import SaleRules
from domain.billing.tax.treatment import Treatment
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.credits import CreditPrice
from domain.common.errors import ApprovalRequired, Invalid, TaxRefused, TaxUnavailable
from domain.common.money import CREDIT as ASSET, amounts_from
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.options import Options
from domain.payments.payment.purposes.credits import credits_bought
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from models.billing.tax_receipt import TaxReceipt
from models.messages.mail import QueuedMail
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.payments.registry import Providers
from providers.tax.service import TaxedLine, TaxService
from repositories.billing import credit_note
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.settings import Settings
from services.billing import billing_profile, credit_note as credit_notes, invoice_end
from services.billing.document import of_tax_receipt
from services.credits.credit_lot import ManualGrantRules
from services.payments.payment_terms import TermsMaker
from tests.api.paying import NOW as PAID, Written
from tests.conftest import DatabaseUrls
from tests.support.billing import (
    CREDIT,
    KIM,
    NOW,
    at_hand,
    balances,
    credit,
    draft,
    finalise,
    line,
    located,
    organization,
    rate,
)
from tests.support.documents import SELLER
from tests.support.payments import FakeProvider
from tests.support.proving import prove_all

pytestmark = pytest.mark.db


CREDITS = credits_bought(100 * CREDIT)
SLOTS = Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=2)


async def terms(
    database: Database,
    org_id: str,
    *,
    includes_tax: bool = False,
    service: TaxService | None = None,
    bought: Purpose = CREDITS,
    others: Mapping[str, str] | None = None,
    price: tuple[int, str] = (1_000, "USD"),
    fee_below: str = "0",
) -> PaymentTerms:
    """Ask for 100 credits, or for what else is bought, at $10.00 where sales are taxed."""
    maker = TermsMaker.of(
        Settings(topup_fee_below=amounts_from(fee_below)).payment_rules,
        Providers({"stripe": FakeProvider()}, taxes=service),
        database,
        SaleRules(seller_country="DE", includes_tax={bought.kind.value: includes_tax}, others=others or {}),
    )
    options = Options(payment_method="pm_1", return_url="https://client.test")
    return await maker.sold(org_id, options, *price, bought, key="sale:cmd_1", now=PAID)


async def test_an_outside_service_taxes_a_sale_and_nothing_is_sold_without_its_answer(database: Database) -> None:
    org = await organization(database)
    said = AppliedTax(code="us-ny", category=TaxCategory.STANDARD, rate_e6=88_750)
    service = Mock(treat=AsyncMock(return_value=Treatment(taxes=(said,), is_proven=True)))
    asked = await terms(database, org, service=service)
    assert asked.tax is not None
    assert (asked.amount_minor, asked.tax.code, asked.tax.amount_minor) == (1_089, "us-ny", 89)
    [question] = service.treat.await_args.args
    assert (question.key, question.lines, question.currency, question.includes_tax) == (
        *("sale:cmd_1", [TaxedLine(product="standard", amount_minor=1_000)], "USD", False),
    )
    for error, refusal in (
        (ProviderUnavailable("Away."), TaxUnavailable),
        (ProviderRefused("No such product."), TaxRefused),
    ):
        service.treat.side_effect = error
        with pytest.raises(refusal):
            await terms(database, org, service=service)


async def sold(
    database: Database, org_id: str, *, includes_tax: bool = False, bought: Purpose = CREDITS, fee_below: str = "0"
) -> Written:
    asked = await terms(database, org_id, includes_tax=includes_tax, bought=bought, fee_below=fee_below)
    named = {
        name: getattr(asked, name) for name in ("amount_minor", "purpose", "tax", "description", "topup_fee_minor")
    }
    paid = await Written(database, org_id, **named).begin()
    paid.there.pay()
    return await paid.look()


async def booked(database: Database, account: Account) -> int:
    async with database.platform() as session:
        return (await Ledger(await driver_connection(session)).balance(account)).posted_minor


async def tax_booked(database: Database) -> int:
    return await booked(database, accounts.platform("tax/de-vat", "USD"))


async def receipts(database: Database, org_id: str) -> list[TaxReceipt]:
    query = select(TaxReceipt).where(TaxReceipt.org_id == org_id).order_by(TaxReceipt.id)
    async with database.platform() as session:
        return list(await session.scalars(query))


async def test_a_sale_is_taxed_once_and_what_goes_back_takes_its_tax_along(
    database: Database, database_urls: DatabaseUrls
) -> None:
    org, before = await organization(database), await tax_booked(database)
    paid = await sold(database, org)
    assert paid.terms.amount_minor == 1_190
    assert await tax_booked(database) - before == 190
    paid.there.refund(595)
    await paid.look()
    assert await tax_booked(database) - before == 95
    paid.there.dispute(595)
    await paid.look()
    assert await tax_booked(database) == before
    made = await receipts(database, org)
    assert [(row.gross_minor, row.net_minor, row.tax_minor) for row in made] == [
        (1_190, 1_000, 190),
        (-595, -500, -95),
        (-595, -500, -95),
    ]
    assert [row.number[:4] for row in made] == ["RCP-", "RCN-", "RCN-"]
    async with database.platform() as session:
        mails = await session.scalars(select(QueuedMail).where(QueuedMail.org_id == org).order_by(QueuedMail.id))
        assert [(mail.kind, mail.data["number"], mail.data["amount"]) for mail in mails] == [
            ("receipt_issued", made[0].number, "11.90"),
            ("receipt_note_issued", made[1].number, "5.95"),
            ("receipt_note_issued", made[2].number, "5.95"),
        ]
        first, back = [await of_tax_receipt(session, row, paid.terms, SELLER) for row in made[:2]]
    assert (first.total_minor, first.tax_minor, first.due_minor) == (1_190, 190, 0)
    assert first.lines[0].description == "100.00 credits"
    assert (back.total_minor, back.reference) == (595, made[0].number)
    await prove_all(database_urls)


async def test_fee_of_a_small_top_up_is_revenue_and_no_part_of_its_lot(
    database: Database, database_urls: DatabaseUrls
) -> None:
    org, accounts_of = await organization(database), ("revenue/topup_fees", "deferred_revenue", "tax/de-vat")
    watched = [accounts.platform(name, "USD") for name in accounts_of]
    before = [await booked(database, each) for each in watched]

    async def gained() -> list[int]:
        return [await booked(database, each) - was for each, was in zip(watched, before, strict=True)]

    paid = await sold(database, org, fee_below="10.01")
    assert (paid.terms.amount_minor, await gained()) == (1_226, [30, 1_000, 196])
    async with database.platform() as session:
        lots = await session.execute(text("SELECT paid_minor FROM credit_lots WHERE org_id = :org"), {"org": org})
        assert lots.scalars().all() == [1_000]
    paid.there.refund(613)
    await paid.look()
    assert [(await gained())[at] for at in (0, 2)] == [15, 98]
    paid.there.dispute(613)
    await paid.look()
    assert [(await gained())[at] for at in (0, 2)] == [0, 0]
    await prove_all(database_urls)


async def test_slots_are_taxed_as_they_are_sold_and_what_goes_back_takes_its_tax_along(
    database: Database, database_urls: DatabaseUrls
) -> None:
    org, revenue = await organization(database), accounts.platform("revenue/slots", "USD")
    before = await tax_booked(database), await booked(database, revenue)

    async def kept() -> tuple[int, int, int]:
        slots = await booked(database, accounts.org_slots(org))
        return slots, await tax_booked(database) - before[0], await booked(database, revenue) - before[1]

    paid = await sold(database, org, bought=SLOTS)
    assert (paid.terms.amount_minor, await kept()) == (1_190, (2, 190, 1_000))
    paid.there.refund(595)
    await paid.look()
    assert await kept() == (1, 95, 500)
    paid.there.dispute(595)
    await paid.look()
    assert await kept() == (0, 0, 0)
    made = await receipts(database, org)
    assert [(row.number[:4], row.gross_minor, row.tax_minor) for row in made] == [
        ("RCP-", 1_190, 190),
        ("RCN-", -595, -95),
        ("RCN-", -595, -95),
    ]
    async with database.platform() as session:
        document = await of_tax_receipt(session, made[0], paid.terms, SELLER)
    assert (document.lines[0].description, document.tax_minor) == ("2 deployment slots", 190)
    await prove_all(database_urls)


async def test_an_invoice_taxes_what_credits_pay_unless_tax_was_charged_at_their_sale(
    database: Database, database_urls: DatabaseUrls
) -> None:
    """Lots of three kinds are there, as after the setting was changed."""
    org = await organization(database)
    await credit(database, org, 10 * CREDIT)
    await credit(database, org, 200 * CREDIT, paid=2_000)
    await sold(database, org)
    before = await tax_booked(database)
    row = await finalise(database, await draft(database, org, line(5_000), applies_credits=True))
    # 1.00 granted and 10.00 that were taxed come off; 39.00 are taxed, of which 20.00 are paid in advance.
    assert (row.granted_minor, row.taxed_minor, row.subtotal_minor, row.tax_minor) == (100, 1_000, 3_900, 741)
    assert (row.prepaid_minor, row.total_minor) == (2_000, 4_641)
    assert (await balances(database, org)) == {"receivable": -2_641, "credits": 0}
    assert await tax_booked(database) - before == 741
    async with database.platform() as session:
        await credit_notes.issue(
            session, KIM, row.id, amount_minor=None, reason="all", command_id=f"crn-{row.id}", now=NOW
        )
        assert len(await credit_note.of_invoice(session, row.id)) == 1
    assert (await balances(database, org)) == {"receivable": 0, "credits": 310 * CREDIT}
    again = await finalise(database, await draft(database, org, line(1_100), applies_credits=True))
    assert (again.granted_minor, again.taxed_minor, again.total_minor) == (100, 1_000, 0)
    async with database.platform() as session:
        await invoice_end.void(session, KIM, again.id, f"void-{again.id}", NOW)
    assert (await balances(database, org))["credits"] == 310 * CREDIT
    await prove_all(database_urls)


async def test_granted_credits_pay_the_platforms_own_lines_and_no_cost(
    database: Database, database_urls: DatabaseUrls
) -> None:
    org = await organization(database)
    await credit(database, org, 600 * CREDIT)
    await credit(database, org, 1_000 * CREDIT, paid=2_490)
    lines = line(2_500, is_cost=True), line(1_000)
    row = await finalise(database, await draft(database, org, *lines, applies_credits=True))
    # 10.00 come off the own line, and 25.00 of cost with 4.75 of tax are paid by other credits and money.
    assert [each["net_minor"] for each in row.lines] == [2_500, 0]
    assert (row.granted_minor, row.granted_credits_minor) == (1_000, 100 * CREDIT)
    assert (row.total_minor, row.prepaid_minor, row.prepaid_credits_minor) == (2_975, 2_490, 1_000 * CREDIT)
    assert await balances(database, org) == {"receivable": -485, "credits": 500 * CREDIT}
    await prove_all(database_urls)


def above(setting: str) -> ManualGrantRules:
    return ManualGrantRules(two_above=amounts_from(setting), price=CreditPrice(price=Decimal("0.10"), currency="EUR"))


async def test_credits_that_come_back_count_for_two_operators_although_they_came_off_before_tax(
    database: Database,
) -> None:
    """Of an invoice that such credits pay nothing is left to void or to credit but the credits themselves."""
    org = await organization(database)
    await credit(database, org, 10 * CREDIT)
    await sold(database, org)
    row = await finalise(database, await draft(database, org, line(1_100), applies_credits=True))
    assert (row.granted_minor, row.taxed_minor, row.total_minor) == (100, 1_000, 0)
    async with database.platform() as session:
        with pytest.raises(ApprovalRequired):
            await invoice_end.void(session, KIM, row.id, f"void-{row.id}", NOW, by_hand=above("10.99"))
    async with database.platform() as session:
        await invoice_end.void(session, KIM, row.id, f"void-{row.id}", NOW, by_hand=above("11.00"))
    row = await finalise(database, await draft(database, org, line(1_200), applies_credits=True))
    assert (row.granted_minor, row.taxed_minor, row.total_minor) == (100, 1_000, 119)

    async def note(minor: int | None, limit: str) -> None:
        async with database.platform() as session:
            command = f"note-{minor}-{row.id}"
            await credit_notes.issue(
                session,
                KIM,
                row.id,
                amount_minor=minor,
                reason="x",
                command_id=command,
                # What was voided counts for a day.
                now=NOW + timedelta(days=1),
                by_hand=above(limit),
            )

    for minor, worth in ((60, "5.64"), (None, "12.19")):
        with pytest.raises(ApprovalRequired):
            await note(minor, f"{float(worth) - 0.01:.2f}")
        await note(minor, worth)


async def test_credits_taxed_at_use_pay_with_what_was_paid_for_them_and_are_taxed_on_it(
    database: Database, database_urls: DatabaseUrls
) -> None:
    async def billed(paid: int, asset: str = "USD") -> tuple[int, int, int]:
        org = await organization(database)
        await credit(database, org, 200 * CREDIT, paid=2 * paid, asset=asset)
        row = await finalise(database, await draft(database, org, line(1_000), applies_credits=True))
        assert (row.subtotal_minor, row.tax_minor, row.discounts) == (1_000, 190, [])
        return row.prepaid_minor, row.total_minor - row.prepaid_minor, row.prepaid_credits_minor

    assert await billed(1_000) == (1_190, 0, 119 * CREDIT)
    assert await billed(249) == (498, 692, 200 * CREDIT)
    # In another currency what was paid is known once there is a rate, and until it is too old.
    assert await billed(5, "BHD") == (1_190, 0, 119 * CREDIT)
    for starts_at, fils in ((NOW - timedelta(days=40), 30), (NOW, 50)):
        async with database.platform() as session:
            # A credit is 0.10 USD, and this many fils.
            for asset, minor, ends_at in (("USD", 10, None), ("BHD", fils, starts_at + timedelta(days=31))):
                await set_credit_rate(
                    await driver_connection(session),
                    asset=asset,
                    credit_minor=CREDIT,
                    asset_minor=minor,
                    starts_at=starts_at,
                    ends_at=ends_at,
                )
        # 11.90 USD are 5.950 BHD of the 7.000 that were paid for 200 credits.
        assert await billed(3_500, "BHD") == (1_190, 0, (119 if starts_at < NOW else 170) * CREDIT)
    await prove_all(database_urls)


async def test_notes_for_parts_give_back_the_credits_of_each_kind_that_the_part_was_lessened_by(
    database: Database, database_urls: DatabaseUrls
) -> None:
    org = await organization(database)
    await credit(database, org, 10 * CREDIT)
    await credit(database, org, 200 * CREDIT, paid=2_000)
    await sold(database, org)
    row = await finalise(database, await draft(database, org, line(3_000), applies_credits=True))
    # 1.00 granted and 10.00 that were taxed come off; 19.00 and their tax are 22.61, and 20.00 are paid in advance.
    assert (row.total_minor, row.prepaid_minor) == (2_261, 2_000)

    async def noted(minor: int | None, key: str) -> dict[str, int]:
        async with database.platform() as session:
            command = f"{key}-{row.id}"
            await credit_notes.issue(
                session, KIM, row.id, amount_minor=minor, reason="a part", command_id=command, now=NOW
            )
        return (await at_hand(database, org))[org]

    # What is due comes first: a tenth of the invoice, and a tenth of the 10.00 of taxed credits, in whole cents.
    assert await noted(226, "a") == {"taxed": 9_900_000}
    # Then purchased credits by what they have paid, although they were taken last, with their share of the taxed ones.
    assert await noted(1_035, "b") == {"untaxed": 100 * CREDIT, "taxed": 9_900_000 + 45_800_000}
    assert await noted(None, "c") == {"granted": 10 * CREDIT, "taxed": 100 * CREDIT, "untaxed": 200 * CREDIT}
    await prove_all(database_urls)


@pytest.mark.parametrize(
    ("country", "vat", "charged", "tax", "category"),
    [
        ("DE", None, 1_190, 190, "S"),
        ("FR", "FR40303265045", 1_000, 0, "AE"),
        (None, None, 1_190, 190, "S"),
    ],
)
async def test_the_tax_of_a_sale_is_that_of_the_buyer(
    database: Database, country: str | None, vat: str | None, charged: int, tax: int, category: str
) -> None:
    org = await organization(database)
    await located(database, org, country, vat_id=vat, vat_reference=vat and "WAPI-1", vat_confirmed_at=vat and NOW)
    asked = await terms(database, org)
    assert asked.tax is not None
    assert (asked.amount_minor, asked.tax.amount_minor, asked.tax.category.value) == (charged, tax, category)
    assert asked.tax.is_proven is (country is not None)


async def test_price_with_its_tax_is_one_that_the_provider_can_count(database: Database) -> None:
    """Of 1.250 dinars 19 % are 0.2375. Stripe counts no last decimal of them, and nobody could buy at this price."""
    org = await organization(database)
    await located(database, org, "DE")
    asked = await terms(database, org, price=(1_250, "BHD"))
    assert asked.tax is not None
    assert (asked.amount_minor, asked.tax.amount_minor) == (1_480, 236)
    # A price that includes its tax is what was offered, or it is refused.
    with pytest.raises(Invalid, match="too many decimals"):
        await terms(database, org, price=(1_255, "BHD"), includes_tax=True)


async def test_prices_that_include_tax_are_charged_as_they_are_and_pay_what_includes_tax(database: Database) -> None:
    org = await organization(database)
    paid = await sold(database, org, includes_tax=True)
    assert paid.terms.tax is not None
    assert (paid.terms.amount_minor, paid.terms.tax.amount_minor) == (1_000, 160)
    row = await finalise(database, await draft(database, org, line(5_000), applies_credits=True))
    # 10.00 with tax are 8.40 without.
    assert (row.taxed_minor, row.subtotal_minor, row.tax_minor) == (840, 4_160, 790)
    assert (await balances(database, org))["credits"] <= CREDIT


async def test_a_refund_that_could_not_be_sent_is_taxed_again(database: Database) -> None:
    org, before = await organization(database), await tax_booked(database)
    paid = await sold(database, org)
    ref = paid.there.refund(119)
    await paid.look()
    paid.there.fail_refund(ref)
    await paid.look()
    assert await tax_booked(database) - before == 190
    assert [row.tax_minor for row in await receipts(database, org)] == [190, -19, 19]


async def test_what_an_agent_earned_was_not_sold_to_its_organization(database: Database) -> None:
    org, other = await organization(database), await organization(database)
    await sold(database, org)
    earnings = accounts.agent_earnings(new_id("agt"), ASSET, other)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        moves = (
            (accounts.org_credits(org), earnings, None),
            (earnings, accounts.org_credits(other), LotSource.EARNINGS),
        )
        for source, destination, kind in moves:
            await ledger.post(
                key=new_id("key"),
                kind="test.earned",
                source=source,
                destination=destination,
                amount_minor=50 * CREDIT,
                effective_at=NOW,
                lots=LotTerms(source=kind) if kind else None,
            )
    assert await at_hand(database, org, other) == {org: {"taxed": 50 * CREDIT}, other: {"untaxed": 50 * CREDIT}}


async def test_who_taxed_a_sale_issues_its_receipt_and_to_whom_it_was_taxed(database: Database) -> None:
    org = await organization(database)
    await rate(database, "fr-vat", "FR", 200_000)
    proven = {"vat_id": "FR40303265045", "vat_reference": "WAPI1", "vat_confirmed_at": PAID}
    await located(database, org, "FR", legal_name="Acme SARL", **proven)
    asked = await terms(database, org, others={"ACME": "FR"})
    assert asked.tax is not None
    named = {name: getattr(asked, name) for name in ("amount_minor", "purpose", "tax", "description")}
    paid = await Written(database, org, **named).begin()
    # While the money is under way, as that of a bank transfer is for days.
    gone = {"vat_id": None, "vat_reference": None, "vat_confirmed_at": None}
    await located(database, org, "FR", legal_name="Somebody Else", **gone)
    async with database.platform() as session:
        decided = {"confirmed_country": None, "exempt_reason": None, "legal_entity": "ACME"}
        await billing_profile.decide(session, KIM, org, **decided, now=PAID)
    paid.there.pay()
    await paid.look()
    async with database.platform() as session:
        made = (await session.scalars(select(TaxReceipt).where(TaxReceipt.org_id == org))).one()
    assert (made.category, made.tax_minor) == ("AE", 0)
    # Reverse charge names the number of whoever owes the tax (BR-AE-02).
    assert made.party is not None
    assert (made.series, made.party["vat_id"], made.party["legal_name"]) == (
        "receipt",
        "FR40303265045",
        "Acme SARL",
    )
