"""Whose name a VAT number has in a register."""

import pytest

from domain.billing.billing_profile import names_differ


@pytest.mark.parametrize(
    ("ours", "registered", "is_other"),
    [
        ("Acme S.r.l.", "ACME SRL", False),
        ("Siemens GmbH", "Siemens Österreich GmbH", False),
        ("Evil GmbH", "Siemens Österreich GmbH", True),
        ("Foo SARL", "SARL BOULANGERIE", True),
        ("Jean Dupont", None, False),
        (None, "ACME SRL", False),
    ],
)
def test_name_is_another_where_it_shares_no_word_but_the_legal_form(ours, registered, is_other):
    assert names_differ(ours, registered) is is_other
