"""Advice: an example of each kind, and rules common to all."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st

from domain.billing.plan import Interval, plans_from
from domain.budgets.policy import FreeFirst, FreeOption, MethodKind, Policy
from domain.budgets.purchase_order import Term
from domain.insight.advice.facts import (
    AgentOffer,
    AgentRevenue,
    AgentUse,
    AlternativeOffer,
    ComparedModels,
    CreditPurchases,
    CurrentSubscription,
    ExternalPurchase,
    FreeOptionUse,
    MethodUse,
    MonthFacts,
    PaymentAttempts,
    RefusedCharges,
    TermPrice,
    UnusedPurchase,
)
from domain.insight.advice.insight import AdviceAction, AdviceKind, AmountMeaning, Insight
from domain.insight.advice.proposal import OrderProposal, PolicyProposal
from domain.insight.advice.rules import RULES, advise, is_worth_giving, without_dismissed
from domain.payments.topup import parse_packages
from tests.support.cases import for_each

PACKAGES = parse_packages(
    json.dumps(
        [
            {"name": "small", "credits": "100", "price": "10.00", "currency": "USD"},
            {"name": "large", "credits": "1000", "price": "80.00", "currency": "USD"},
            {"name": "huge", "credits": "10000", "price": "700.00", "currency": "USD"},
            {"name": "euro", "credits": "1000", "price": "1.00", "currency": "EUR"},
        ]
    )
)
PLANS = plans_from(
    json.dumps(
        [
            {"name": "free", "projects": 1, "deploys": 1, "seats": 1},
            {
                "name": "team",
                "projects": 9,
                "deploys": 9,
                "seats": 9,
                "prices": [{"interval": "month", "amount": "30.00", "currency": "USD"}],
            },
        ]
    )
)
CREDITS = 1_000_000
DAY = date(2026, 2, 10)
NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
REFUSED = RefusedCharges(
    control_id="ctl_1",
    agent_id="agt_1",
    action="search",
    day=DAY,
    latest=NOON,
    number=3,
    amount_minor=30 * CREDITS,
    largest_minor=15 * CREDITS,
)
USE = AgentUse(
    agent_id="agt_1",
    name="Old",
    rank_e6=600_000,
    currency="CREDIT",
    paid_minor=100 * CREDITS,
    quantities={"page": 50, "call": 10},
    alternatives=(),
)
TRIED = PaymentAttempts(
    provider="stripe",
    method="card",
    succeeded=10,
    failed=10,
    received_minor={"USD": 10_000},
    declined_minor={"USD": 10_000, "EUR": 1},
)


def facts(**found: Any) -> MonthFacts:
    return MonthFacts(**{"spending": {}, **found})


def only(**found: Any) -> Insight:
    (one,) = advise(facts(**found))
    return one


def bought(credits: int, paid: int, largest: int, **more: Any) -> CreditPurchases:
    given_ = {"currency": "USD", "orders": 10, "credits_minor": credits * CREDITS}
    return CreditPurchases(**{**given_, "paid_minor": paid, "largest_minor": largest * CREDITS, **more})


def test_larger_package_is_compared_with_all_purchases():
    one = only(packages=PACKAGES, bought=[bought(1_000, 10_000, 100)])
    assert (one.id, one.amount_minor, one.currency, one.meaning) == ("package-USD", 2_000, "USD", AmountMeaning.SAVING)
    assert one.how == (
        "You bought 1000.00 credits in 10 orders for 100.00 USD.",
        "1 package large of 1000.00 credits would have cost 80.00 USD.",
    )
    assert one.figures["packages"] == 1
    assert one.act == AdviceAction("POST", "/billing/purchase-credits", {"package": "large"})


@for_each(
    "of",
    [
        bought(1_000, 7_000, 100),  # was cheap enough
        bought(1_000, 10_000, 10_000),  # nothing is larger
        bought(1_000, 10_000, 100, currency="GBP"),
        bought(150, 1_500, 100),  # one large package would have been more credits for more money
    ],
)
def test_only_cheaper_packages_are_advised(of: CreditPurchases):
    assert not advise(facts(packages=PACKAGES, bought=[of]))


def test_annual_plan_is_advised_to_monthly_payers():
    held = CurrentSubscription(plan="team", interval=Interval.MONTH, amount_minor=6_000, currency="USD", quantity=2)
    one = only(plans=PLANS, subscribed=held)
    assert (one.id, one.amount_minor) == ("annual_plan-team", 6_000 - 5_000)
    assert not advise(facts(plans=PLANS, subscribed=replace(held, interval=Interval.YEAR)))
    assert not advise(facts(plans=PLANS, subscribed=replace(held, currency="EUR")))
    assert not advise(facts(plans=PLANS, subscribed=replace(held, plan="gone")))


def test_auto_topup_is_advised_for_refusals_by_the_balance_alone():
    lacking = replace(REFUSED, control_id=None)
    refused = [lacking, replace(lacking, number=1), REFUSED]
    one = only(refused=refused, has_auto_topup=False, spending={"CREDIT": 100 * CREDITS})
    assert (one.id, one.amount_minor, one.meaning) == ("auto_topup-CREDIT", 60 * CREDITS, AmountMeaning.STOPPED)
    assert one.title == "Automatic top-up would have avoided 4 refusals for lack of credits."
    assert one.act.body == {"below": "15.00", "credits": "15.00", "monthly_cap": "60.00"}
    spending = {"CREDIT": 100 * CREDITS}
    assert not advise(facts(refused=[lacking], has_auto_topup=True, spending=spending))
    assert not advise(facts(refused=[REFUSED], has_auto_topup=False, spending=spending))


def test_advice_from_refusals_is_limited_by_spending():
    huge = replace(REFUSED, control_id=None, amount_minor=10**15, largest_minor=10**15)
    one = only(refused=[huge], has_auto_topup=False, spending={"CREDIT": 5 * CREDITS})
    assert one.amount_minor == 5 * CREDITS
    assert one.act.body == {"below": "5.00", "credits": "5.00", "monthly_cap": "5.00"}
    assert not advise(facts(refused=[huge], has_auto_topup=False))


def test_agent_is_advised_that_costs_less_for_the_same_uses_and_is_not_rated_lower():
    prices = {"page": CREDITS, "call": CREDITS}
    good = AlternativeOffer(agent_id="agt_2", name="New", rank_e6=600_000, usage_prices=prices)
    worse = replace(good, agent_id="agt_3", rank_e6=599_999, usage_prices={"page": 1, "call": 1})
    partial = replace(good, agent_id="agt_4", usage_prices={"page": 1})
    dear = replace(good, agent_id="agt_5", usage_prices={"page": 2 * CREDITS, "call": 1})
    one = only(agents=[replace(USE, alternatives=[worse, partial, dear, good])])
    assert (one.id, one.amount_minor) == ("cheaper_agent-agt_1", 40 * CREDITS)
    assert one.act.path == "/marketplace/agents/agt_2/purchase"
    assert one.how[-1] == "Lower bounds of their reputation, of 10: 6.0 and 6.0."
    assert not advise(facts(agents=[replace(USE, alternatives=[worse, partial, dear])]))


def test_agent_by_the_month_is_compared_by_its_price():
    monthly = replace(USE, quantities={}, currency="USD", paid_minor=2_000)
    other = AlternativeOffer(agent_id="agt_2", name="New", rank_e6=700_000, price_minor=1_500)
    assert only(agents=[replace(monthly, alternatives=[other])]).amount_minor == 500


def test_ending_unused_items_is_advised():
    act = AdviceAction("POST", "/marketplace/purchases/pur_1/cancel")
    given_ = UnusedPurchase(
        subject="pur_1", name="Old", amount_minor=900, currency="USD", why="Why.", act=act, page="/library/pur_1"
    )
    one = only(unused=[given_])
    assert (one.title, one.how, one.act) == (
        "Nobody used Old.",
        ("You paid 9.00 USD for the month.", "Why."),
        act,
    )


def test_method_is_advised_that_fails_less_often():
    better = replace(TRIED, provider="paypal", method=None, succeeded=9, failed=1, declined_minor={"USD": 100})
    one = only(tried=[TRIED, better], spending={"EUR": 1_000})
    # A tenth of 200.00 fails at PayPal's rate, where 100.00 did.
    assert (one.id, one.amount_minor, one.meaning) == ("payment_method-stripe_card_USD", 8_000, AmountMeaning.STOPPED)
    assert one.title == "Payments by paypal succeed more often than by stripe card."
    assert not advise(facts(tried=[TRIED, replace(better, succeeded=8)]))  # too few payments
    assert not advise(facts(tried=[TRIED, replace(TRIED, provider="paypal")]))


def test_raising_a_limit_is_advised_when_it_was_raised_soon_after_a_refusal():
    captured = {(DAY + timedelta(days=1), "search", "agt_1"): 20 * CREDITS, (DAY, "search", "agt_2"): CREDITS}
    raised = {"ctl_1": [NOON - timedelta(hours=1), NOON + timedelta(hours=1)]}
    one = only(refused=[REFUSED], raises=raised, captured=captured)
    assert (one.id, one.amount_minor) == ("limit-ctl_1", 20 * CREDITS)
    assert (one.act.path, one.page) == ("/spend-controls/ctl_1", "/limits/ctl_1")
    budget = only(refused=[replace(REFUSED, is_budget=True)], raises=raised, captured=captured)
    assert (budget.act.path, budget.page) == ("/budgets/ctl_1", "/budgets/ctl_1")
    for late in (NOON, NOON + timedelta(days=8)):
        assert not advise(facts(refused=[REFUSED], raises={"ctl_1": [late]}, captured=captured))
    assert not advise(facts(refused=[REFUSED], raises=raised, captured={(DAY, "search", "agt_2"): CREDITS}))


def test_raising_a_limit_is_advised_when_a_person_paid_instead():
    captured = {(DAY, "search", None): 50 * CREDITS}
    assert only(refused=[REFUSED], captured=captured).amount_minor == 30 * CREDITS
    usual = {**captured, (DAY - timedelta(days=1), "search", None): CREDITS}
    assert not advise(facts(refused=[REFUSED], captured=usual))
    assert not advise(facts(refused=[replace(REFUSED, agent_id=None)], captured=captured))


def test_each_kind_has_a_rule():
    assert len(RULES) == len(AdviceKind)


def insight(amount: int, currency: str = "USD", subject: str = "a") -> Insight:
    act = AdviceAction("POST", "/a")
    return Insight(
        kind=AdviceKind.UNUSED,
        subject=subject,
        amount_minor=amount,
        currency=currency,
        meaning=AmountMeaning.SAVING,
        title="A.",
        how=(),
        figures={},
        act=act,
        page="/a",
    )


@given(amount=st.integers(-(10**15), 10**15), spent=st.integers(0, 10**15))
def test_savings_below_one_percent_of_spending_are_not_advised(amount: int, spent: int):
    assert is_worth_giving(insight(amount), {"USD": spent, "CREDIT": 10**15}) == (amount > 0 and amount >= spent / 100)


def test_larger_savings_come_first_and_dismissed_advice_is_hidden():
    amounts = {"USD": [100, 300], "CREDIT": [CREDITS]}
    unused = [
        UnusedPurchase(
            subject=f"{code}{amount}",
            name="a",
            amount_minor=amount,
            currency=code,
            why="",
            act=AdviceAction("POST", "/a"),
            page="/a",
        )
        for code, all_ in amounts.items()
        for amount in all_
    ]
    found = advise(facts(unused=unused, spending={"USD": 1_000, "CREDIT": 5 * CREDITS}))
    assert [each.subject for each in found] == ["USD300", f"CREDIT{CREDITS}", "USD100"]
    assert without_dismissed(found, {found[0].id}) == found[1:]


# Purchases outside ---------------------------------------------------------------------------------------------------

BUY = ExternalPurchase(
    order_id="por_1",
    agent_id="agt_1",
    agent_name="Ada",
    item="Maps",
    vendor="Here",
    category="data",
    currency="USD",
    term=None,
    renewed=0,
    at=NOON,
    paid_minor=1_100,
    fee_minor=100,
    method="card",
)
CARD = MethodUse(
    name="card",
    label="Card",
    kind=MethodKind.CARD,
    fee_share_e4=None,
    fee_fixed_minor=100,
    fee_currency="USD",
    attempts=30,
    succeeded=27,
)
COIN = replace(CARD, name="coin", label="Coin", kind=MethodKind.TON, fee_share_e4=100, fee_fixed_minor=None)
YEAR = TermPrice(vendor="here", item=" MAPS", currency="USD", term=Term.YEAR, amount_minor=12_000)
TIMES = [replace(BUY, order_id=f"por_{number}") for number in range(1, 5)]
CATALOGUE = FreeOption(name="Open maps", category="Data", quota=2, quota_window="day")


def test_term_is_advised_for_repeated_purchases():
    one = only(purchases=TIMES, terms=[YEAR])
    assert (one.kind, one.amount_minor, one.title) == (AdviceKind.BULK, 4_400 - 1_000, "Maps costs less by the year.")
    assert one.how == (
        "Ada bought it 4 times for 44.00 USD.",
        "You last paid 120.00 USD for a year, which is 10.00 USD a month.",
    )
    assert isinstance(one.proposes, OrderProposal)
    assert (one.proposes.agent_id, one.proposes.amount_minor, one.proposes.term) == ("agt_1", 12_000, Term.YEAR)
    assert one.act.body["amount"] == "120.00"
    assert only(purchases=TIMES[1:], terms=[YEAR]).id == one.id  # the same in another month
    for other in (replace(YEAR, vendor="There"), replace(YEAR, currency="EUR"), replace(YEAR, amount_minor=60_000)):
        assert not advise(facts(purchases=TIMES, terms=[other]))
    assert not advise(facts(purchases=TIMES[:2], terms=[YEAR]))
    assert not advise(facts(purchases=[*TIMES[:2], *(replace(each, agent_id="agt_2") for each in TIMES[2:])]))


def test_longer_term_is_advised_from_the_third_renewal_on():
    monthly = replace(BUY, term=Term.MONTH, renewed=2, fee_minor=None)
    one = only(purchases=[monthly], terms=[YEAR])
    assert (one.amount_minor, one.figures["purchases"]) == (100, 3)
    assert not advise(facts(purchases=[replace(monthly, renewed=1)], terms=[YEAR]))
    assert not advise(facts(purchases=[replace(monthly, term=Term.YEAR)], terms=[YEAR]))


def test_longer_term_is_advised_for_all_that_are_paid_at_once():
    seats = [replace(each, term=Term.MONTH, renewed=1, paid_minor=1_000, fee_minor=None) for each in TIMES]
    one = only(purchases=seats, terms=[replace(YEAR, amount_minor=9_600)])
    assert one.amount_minor == 4 * (1_000 - 800)
    assert one.how[1] == "You last paid 96.00 USD for a year, which is 8.00 USD a month; 4 times that is 32.00 USD."
    assert isinstance(one.proposes, OrderProposal)
    assert (one.proposes.item, one.proposes.amount_minor) == ("4 times Maps", 4 * 9_600)


def test_one_purchase_is_advised_where_each_had_a_fixed_fee():
    one = only(purchases=TIMES, methods=[CARD])
    assert one.amount_minor == 4_400 - 4_100
    assert one.how[1] == "4.00 USD of that were fees of Card. One purchase of 40.00 USD has a fee of 1.00 USD."
    assert isinstance(one.proposes, OrderProposal)
    assert (one.proposes.item, one.proposes.term) == ("4 times Maps", None)
    assert not advise(facts(purchases=[*TIMES[1:], replace(BUY, fee_minor=None)], methods=[CARD]))


def test_free_option_is_advised_within_its_quota():
    day = datetime(2026, 2, 10, tzinfo=UTC)
    dear = [replace(BUY, order_id=f"por_{price}", paid_minor=price, method=None) for price in (900, 300, 600)]
    free = FreeOptionUse(id="fro_1", option=CATALOGUE, used={})
    one = only(purchases=dear, free=[free])
    assert (one.id, one.amount_minor, one.figures["purchases"]) == ("free_tier-fro_1_USD", 900, 2)
    assert only(purchases=dear, free=[replace(free, used={day: 1})]).amount_minor == 300
    assert (
        only(purchases=dear, free=[replace(free, option=FreeOption(name="a", category="data"))]).amount_minor == 1_800
    )
    # No purchase counts for two options.
    two = advise(facts(purchases=dear, free=[free, replace(free, id="fro_2", option=replace(CATALOGUE, name="Z"))]))
    assert sorted(each.amount_minor for each in two) == [900, 900]
    assert one.proposes == PolicyProposal(policy_id=None, free_first=True)
    for changed in (
        replace(BUY, unfit=frozenset({"open maps"})),
        replace(BUY, category="code"),
        replace(BUY, term=Term.MONTH),
        replace(BUY, policy=Policy(free_first=FreeFirst.REQUIRE)),
    ):
        assert not advise(facts(purchases=[changed], free=[free]))
    assert not advise(facts(purchases=dear, free=[replace(free, used={day: 2})]))


def test_method_is_advised_whose_fees_are_lower_and_that_fails_no_more_often():
    one = only(purchases=TIMES[:2], methods=[CARD, COIN])
    # A hundredth of 10.00 twice, for each attempt of ten that nine succeed of.
    assert (one.id, one.amount_minor) == ("method-card_USD", 200 - 23)
    assert one.proposes == PolicyProposal(policy_id=None, methods=(MethodKind.TON, MethodKind.CARD))
    for worse in (
        replace(COIN, succeeded=26),
        replace(COIN, fee_share_e4=1_000),
        replace(COIN, kind=MethodKind.CARD),
        replace(COIN, kind=MethodKind.FREE),
        replace(COIN, fee_share_e4=None),
    ):
        assert not advise(facts(purchases=TIMES[:2], methods=[CARD, worse]))
    for policy in (Policy(methods=(MethodKind.CARD,)), Policy(methods=(MethodKind.TON, MethodKind.CARD))):
        bought = [replace(each, policy=policy) for each in TIMES[:2]]
        assert not advise(facts(purchases=bought, methods=[CARD, COIN]))


def test_cheaper_own_agent_is_advised_for_dearer_purchases():
    own = AgentOffer(
        agent_id="agt_9",
        name="Own",
        category="Data",
        is_monthly=False,
        currency="USD",
        price_minor=400,
        earned_minor=0,
    )
    buy = replace(BUY, fee_minor=None)
    one = only(purchases=[buy, replace(buy, order_id="por_2", paid_minor=300)], offered=[own])
    assert (one.id, one.amount_minor, one.meaning) == ("arbitrage-buy_agt_9_USD", 700, AmountMeaning.SAVING)
    assert one.proposes == PolicyProposal(policy_id=None, refused="data")
    dear = replace(own, price_minor=2_000, earned_minor=500)
    sell = only(purchases=[buy], offered=[dear])
    assert (sell.id, sell.amount_minor, sell.meaning) == ("arbitrage-sell_agt_9_USD", 500, AmountMeaning.EARNING)
    assert sell.proposes is None
    for other in (
        replace(own, category="code"),
        replace(own, is_monthly=True),
        replace(own, currency="EUR"),
        replace(dear, earned_minor=0),
    ):
        assert not advise(facts(purchases=[buy], offered=[other]))


_BOUGHT = st.builds(
    lambda paid, fee, **more: replace(BUY, paid_minor=paid, fee_minor=None if fee is None else min(fee, paid), **more),
    st.integers(1, 10**9),
    st.none() | st.integers(0, 10**9),
    agent_id=st.sampled_from(["agt_1", "agt_2"]),
    currency=st.sampled_from(["USD", "EUR"]),
    term=st.sampled_from([None, None, *Term]),
    renewed=st.integers(0, 4),
    policy_id=st.sampled_from([None, "pol_1"]),
)


@given(
    bought=st.lists(_BOUGHT, max_size=12).map(
        lambda all_: [replace(each, order_id=f"por_{number}") for number, each in enumerate(all_)]
    ),
    price=st.integers(1, 10**9),
    share=st.integers(0, 10_000),
    used=st.integers(0, 3),
    spent=st.integers(0, 10**9),
)
def test_savings_never_exceed_payments(bought: list[ExternalPurchase], price: int, share: int, used: int, spent: int):
    own = {"name": "Own", "category": "data", "currency": "USD", "earned_minor": price}
    found = advise(
        facts(
            purchases=bought,
            terms=[replace(YEAR, amount_minor=price), replace(YEAR, term=Term.MONTH, amount_minor=price)],
            free=[FreeOptionUse(id="fro_1", option=CATALOGUE, used={datetime(2026, 2, 10, tzinfo=UTC): used})],
            methods=[CARD, replace(COIN, fee_share_e4=share)],
            offered=[
                AgentOffer(agent_id=f"agt_{each}", price_minor=price, is_monthly=each, **own) for each in (False, True)
            ],
            spending={"USD": spent},
        )
    )
    for kind in (AdviceKind.BULK, AdviceKind.FREE_TIER, AdviceKind.METHOD, AdviceKind.ARBITRAGE):
        for currency in ("USD", "EUR"):
            paid = sum(each.paid_minor for each in bought if each.currency == currency)
            saved = [each for each in found if (each.kind, each.currency) == (kind, currency)]
            saving = [each.amount_minor for each in saved if each.meaning is AmountMeaning.SAVING]
            assert sum(saving) <= paid
            assert all(0 < each.amount_minor <= price for each in saved if each.meaning is AmountMeaning.EARNING)
    assert all(each.amount_minor * 100 >= spent for each in found if each.currency == "USD")
    assert len({each.id for each in found}) == len(found)


def test_change_of_a_policy_keeps_everything_else():
    policy = Policy(methods=(MethodKind.CARD, MethodKind.TON), categories_allowed=("Data", "code"))
    assert PolicyProposal(policy_id=None, free_first=True).of(policy) == replace(policy, free_first=FreeFirst.REQUIRE)
    first = PolicyProposal(policy_id="pol_1", methods=(MethodKind.TON, MethodKind.CARD))
    assert first.of(policy) == replace(policy, methods=(MethodKind.TON, MethodKind.CARD))
    refused = PolicyProposal(policy_id=None, refused="data")
    assert refused.of(policy) == replace(policy, categories_allowed=("code",), categories_refused=("data",))
    assert refused.of(refused.of(policy)) == refused.of(policy)
    for each in (first, refused):
        assert PolicyProposal.kept(json.loads(json.dumps(each.stored()))) == each


SWAP = ComparedModels(
    a="big/model",
    b="small",
    currency="USD",
    runs_a=1_000,
    runs_b=900,
    strata=3,
    is_randomised=True,
    is_worth_it=True,
    less_pico=20_000_000_000,
    success_e6=(-4_000, -15_000, 7_000),
)


def test_model_is_advised_only_after_randomised_choice_and_by_its_certain_saving():
    one = only(compared=[replace(SWAP, b="smaller", less_pico=1_000_000_000), SWAP])
    assert (one.id, one.amount_minor, one.figures["other_model"]) == ("model_swap-big_model", 2_000, "small")
    assert one.how[1:] == (
        "A run of small costs at least 0.02 USD less (95 %); for the runs of big/model that is 20.00 USD.",
        "It succeeds in -0.4 % of runs more, between -1.5 % and 0.7 %; below zero is fewer.",
    )
    for changed in ({"is_randomised": False}, {"is_worth_it": False}, {"less_pico": -1}):
        assert not advise(facts(compared=[replace(SWAP, **changed)]))


def test_largest_source_is_named_from_a_share_of_the_revenue_on():
    largest = AgentRevenue(source="app_store", agent_id="agt_1", name="Ada", currency="USD", amount_minor=600, pieces=6)
    rest = replace(largest, name="Bo", amount_minor=400, pieces=4)
    spent = {"USD": 1_000, "CREDIT": 1}
    one = only(earned=[rest, largest], spending=spent)
    assert (one.id, one.amount_minor, one.meaning) == ("diversify-USD", 600, AmountMeaning.AT_RISK)
    assert one.title == "Most of your revenue comes from Ada by app store."
    assert one.how[0] == "Ada brought 6.00 USD of 10.00 USD this way, 60.0 %."
    assert not advise(facts(earned=[largest, replace(rest, amount_minor=401)], spending=spent))
    assert not advise(facts(earned=[largest, replace(rest, pieces=3)], spending=spent))
    assert not advise(facts(earned=[largest, replace(rest, currency="EUR")], spending=spent))
    # What could not be converted says nothing of the whole, and nothing where nothing is spent.
    two = [replace(largest, pieces=10), replace(largest, currency="EUR", amount_minor=9, pieces=10)]
    minor = only(earned=two, spending=spent)
    assert minor.title == "Most of your revenue in USD comes from Ada by app store."
