"""Processor time that the files of one document take."""

import statistics
import time
from dataclasses import replace
from datetime import date

from dev.bench.rows import BenchRow
from dev.bench.world import World
from domain.billing.document.content import Document, DocumentKind, DocumentLine, Party, Tax, TaxSum
from providers.documents.maker import DocumentMaker
from providers.documents.typst import Typst

MADE = 12
#: One PDF, see docs/guides/documents.md.
MOST_MS = 50
STANDARD = Tax(category="S", rate_e6=190_000)


def invoice(count: int) -> Document:
    """Return an electronic invoice of `count` lines."""
    lines = tuple(
        DocumentLine(
            description=f"Calls of agent {n}", quantity=2, unit_minor=100 + n, net_minor=200 + 2 * n, tax=STANDARD
        )
        for n in range(count)
    )
    net = sum(line.net_minor for line in lines)
    return Document(
        kind=DocumentKind.INVOICE,
        number="INV-000001",
        language="en",
        currency="EUR",
        issued_on=date(2026, 11, 1),
        due_on=date(2026, 12, 1),
        seller=Party(name="Seller", city="Berlin", country="DE", vat_id="DE123456788"),
        buyer=Party(name="Buyer", city="Paris", country="FR"),
        lines=lines,
        taxes=(TaxSum(tax=STANDARD, taxable_minor=net, tax_minor=(net * 19 + 50) // 100),),
    )


async def run(_world: World) -> list[BenchRow]:
    """Measure documents of 1, 40 and 400 lines."""
    typst, maker, rows = Typst(), DocumentMaker(), []
    for count in (1, 40, 400):
        page, whole = [], []
        for number in range(MADE + 1):
            # Another document each time: every compiler of a process keeps what one of them has seen.
            first, second = (replace(invoice(count), number=f"INV-{n:06d}") for n in (number, number + MADE + 1))
            began = time.process_time()
            typst.pdf(first)
            drawn = time.process_time()
            maker.make_now(second)
            page.append((drawn - began) * 1000)
            whole.append((time.process_time() - drawn) * 1000)
        rows.append(
            BenchRow(
                name=f"document: PDF of {count} lines with its electronic invoice",
                value=statistics.median(whole[1:]),
                unit="ms CPU",
                note=f"the PDF by itself: {statistics.median(page[1:]):.0f} ms",
                target=None if count == 400 else MOST_MS,
                at_most=True,
            )
        )
    return rows
