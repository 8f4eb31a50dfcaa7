"""Refunded credits get a later expiry depending on who caused the refund."""

from dataclasses import replace

import pytest

from domain.common.access import Actor
from domain.escrow import commands as rules
from domain.escrow.booking import renews_refund
from domain.escrow.state import Escrow
from tests.support.escrows import ARBITER, FINANCE, OPERATOR, PROCUREMENT, T0, TERMS, WORKER


def funded() -> Escrow:
    opened = rules.opened(TERMS, actor=PROCUREMENT, now=T0).escrow
    return rules.fund(opened, actor=PROCUREMENT, source="credits", now=T0).escrow


@pytest.mark.parametrize(
    ("actor", "renews", "renews_once_asked"),
    [
        (PROCUREMENT, False, False),
        (FINANCE, False, False),
        (WORKER, True, False),
        (ARBITER, True, False),
        (OPERATOR, True, False),
        (None, True, True),
    ],
    ids=["payer", "another of the payer", "payee", "arbiter", "operator", "deadline"],
)
def test_pitfall_39_the_payer_alone_renews_nothing(actor: Actor | None, renews: bool, renews_once_asked: bool) -> None:
    """Granting the payer's request to cancel counts as caused by the payer; a deadline acts in any case."""
    assert renews_refund(funded(), actor) is renews
    asked = rules.cancel(funded(), actor=FINANCE, reason=None).escrow
    assert renews_refund(asked, actor) is renews_once_asked


@pytest.mark.parametrize("actor", [PROCUREMENT, None, OPERATOR])
def test_pitfall_39_an_organization_that_pays_itself_renews_nothing(actor: Actor | None) -> None:
    own = replace(TERMS, payee_org_id=TERMS.payer_org_id)
    assert not renews_refund(replace(funded(), terms=own), actor)
