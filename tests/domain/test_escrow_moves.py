"""Who causes a refund decides whether credits that it brings back may live longer."""

from dataclasses import replace

import pytest

from domain.access import Actor
from domain.escrow.moves import renews_refund
from tests.support.escrows import ARBITER, FINANCE, OPERATOR, PROCUREMENT, TERMS, WORKER


@pytest.mark.parametrize(
    ("actor", "renews"),
    [
        (PROCUREMENT, False),
        (FINANCE, False),
        (WORKER, True),
        (ARBITER, True),
        (OPERATOR, True),
        (None, True),
    ],
    ids=["payer", "another of the payer", "payee", "arbiter", "operator", "deadline"],
)
def test_pitfall_39_the_payer_alone_renews_nothing(actor: Actor | None, renews: bool) -> None:
    assert renews_refund(TERMS, actor) is renews


@pytest.mark.parametrize("actor", [PROCUREMENT, None, OPERATOR])
def test_pitfall_39_an_organization_that_pays_itself_renews_nothing(actor: Actor | None) -> None:
    own = replace(TERMS, payee_org_id=TERMS.payer_org_id)
    assert not renews_refund(own, actor)
