"""Operators write price rules in the console: tried first, refused at the field, changed, ended."""

from typing import Any

import pytest

from console.forms import Form
from console.platform.pricing import terms
from console.platform.pricing.terms import KINDS
from domain.marketplace.pricing.rule import RuleType
from tests.console.conftest import Visitor
from tests.console.strict import read
from tests.support.cases import for_each

NEW = "/console/platform/pricing/new"
SAID: dict[str, dict[str, Any]] = {
    "surge": {"threshold": "0.80", "maximum": "1.50", "full": "1.00"},
    "reputation": {
        "whose": "seller",
        "multiplier": "0.80",
        "from_score": "7.00",
        "full_score": "9.00",
        "least_evidence": 10,
    },
    "time_of_day": {"zone": "UTC", "multiplier": "1.10", "weekdays": [6, 7], "begins": "22:00", "ends": "06:00"},
    "bulk": {"steps": [{"quantity": 10, "multiplier": "0.95"}]},
    "volume": {"currency": "CREDIT", "steps": [{"amount": "1000.00", "multiplier": "0.95"}]},
    "tier": {"tier": "premium", "multiplier": "0.97"},
    "contract_price": {"unit_price": "8.00", "currency": "CREDIT"},
    "custom": {"expression": "quantity >= 10 ? 9000 : 10000"},
    "bounds": {"floor": "0.50", "ceiling": None, "floor_amount": "1.00", "ceiling_amount": None, "currency": "USD"},
}
SENTENCES = {
    "surge": "Up to 1.5 times from a demand of 0.8 to 1",
    "reputation": "Up to 0.8 times for a score of the agent from 7 to 9",
    "time_of_day": "1.1 times on Saturday and Sunday, 22:00 to 06:00 in UTC",
    "bulk": "From 10: 0.95 times",
    "volume": "From 1,000.00 credits: 0.95 times",
    "tier": "0.97 times for premium clients",
    "contract_price": "8.00 credits per unit",
    "custom": "quantity >= 10 ? 9000 : 10000",
    "bounds": "At least 0.5 times; at least 1.00 USD per unit",
}


def rule(kind: str) -> dict[str, Any]:
    empty = dict.fromkeys(("agent_id", "organization_id", "floor", "ceiling", "valid_until"))
    more = {"name": "R", "priority": 7, "stacking": "add", "valid_from": "2026-11-22T09:30:00Z"}
    return {"type": kind, "terms": {"type": kind, **SAID[kind]}, **empty, **more}


def test_every_kind_of_rule_has_a_form() -> None:
    assert set(KINDS) == {kind.value for kind in RuleType} == set(SAID)


@for_each("kind", sorted(KINDS))
def test_what_a_form_shows_of_a_rule_is_sent_as_the_same_rule(kind: str) -> None:
    values, several = terms.typed(rule(kind), "Europe/Vienna")

    sent = terms.rule(kind, Form(values=values, lists=several), "Europe/Vienna")

    assert set(values) <= set(terms.fields_of(kind))
    assert sent == {
        **{name: value for name, value in rule(kind).items() if name != "type"},
        "terms": {name: value for name, value in rule(kind)["terms"].items() if value is not None},
        "valid_from": "2026-11-22T10:30:00+01:00",
    }


@for_each("kind", sorted(KINDS))
def test_a_rule_is_said_in_a_sentence(kind: str) -> None:
    assert terms.effect(rule(kind)).replace("\N{NO-BREAK SPACE}", " ") == SENTENCES[kind]


def test_what_is_no_number_is_sent_as_it_was_typed() -> None:
    sent = terms.rule("bulk", Form(values={"priority": "first", "terms_from_2": "ten", "valid_from": "soon"}), "UTC")

    assert (sent["priority"], sent["valid_from"]) == ("first", "soon")
    assert sent["terms"]["steps"] == [{"quantity": "ten", "multiplier": ""}]


def fields(command: str, **more: str) -> dict[str, Any]:
    return {
        "command": command,
        "type": "tier",
        "name": "Premium <b>",
        "priority": "7123",
        "stacking": "multiply",
        "terms_tier": "premium",
        "terms_multiplier": "0.99",
        **more,
    }


@pytest.mark.db
@pytest.mark.parametrize(("kind", "stacks"), [("tier", True), ("bounds", False), ("contract_price", False)])
async def test_form_offers_no_stacking_to_a_rule_that_has_none(
    visitors: dict[str, Visitor], kind: str, stacks: bool
) -> None:
    page = (await visitors["operator"].get(f"{NEW}?type={kind}")).text
    assert ('type="radio"' in page, 'name="floor"' in page) == (stacks, stacks)


@pytest.mark.db
async def test_a_rule_of_bounds_is_made_and_shown_without_stacking(visitors: dict[str, Visitor]) -> None:
    operator = visitors["operator"]
    sent = {
        "command": await operator.form(f"{NEW}?type=bounds"),
        "type": "bounds",
        "name": "Half at least",
        "priority": "7124",
        "stacking": "multiply",
        "terms_floor": "0.5",
        "action": "write",
    }
    made = await operator.post(NEW, sent)
    assert made.status_code == 303, made.text
    page = (await operator.get(made.headers["location"])).text
    assert "At least 0.5 times" in page
    assert "Combined with other rules" not in page


@pytest.mark.db
async def test_operator_tries_makes_changes_and_ends_a_rule(visitors: dict[str, Visitor]) -> None:
    operator = visitors["operator"]
    key = await operator.form(NEW)
    tried = await operator.post(NEW, fields(key, action="try"))
    assert tried.status_code == 200
    assert "Test on past quotes" in tried.text
    assert 'value="Premium &lt;b&gt;"' in tried.text
    assert read(tried.text).problems == []
    made = await operator.post(NEW, fields(key, action="write"))
    assert made.status_code == 303, made.text
    path = made.headers["location"].partition("?")[0]
    assert "0.99 times for premium clients" in (await operator.get(path)).text
    change = f"{path}/change"
    assert 'value="7123"' in (await operator.get(change)).text
    changed = await operator.post(change, fields(await operator.form(change), action="write", terms_multiplier="0.98"))
    assert changed.headers["location"] == f"{path}?notice=price_rule.changed"
    assert "0.98 times" in (await operator.get(path)).text
    ended = await operator.post(f"{path}/end", {"command": await operator.form(f"{path}/end")})
    assert ended.headers["location"] == f"{path}?notice=price_rule.ended"
    page = (await operator.get(path)).text
    assert "An operator ended it." in page
    assert f"{path}/change" not in page


@pytest.mark.db
@pytest.mark.parametrize("action", ["try", "write"])
async def test_a_refused_rule_keeps_what_was_typed_and_says_it_at_the_field(
    visitors: dict[str, Visitor], action: str
) -> None:
    operator = visitors["operator"]
    sent = fields("con_0123456789abcdef" + action, action=action, terms_multiplier="twice", priority="first")

    answer = await operator.post(NEW, sent)

    assert answer.status_code == 422
    assert 'href="#f-terms_multiplier"' in answer.text
    assert 'href="#f-priority"' in answer.text
    assert 'value="twice"' in answer.text
    assert read(answer.text).problems == []
