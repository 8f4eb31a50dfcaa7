"""The numbers on the budgets page match the code."""

import re

from domain.budgets.budget import BudgetTerms, Calendar as Zone, Pools, window_states
from domain.budgets.prompt import PLACEHOLDERS, PoolBalance, PromptFigures, render
from domain.common.calendar import BEGINNING, Window
from domain.credits.spend.control import Limit, LimitTerms, Pool
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/guides/budgets.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())


def test_pools_together_never_exceed_the_limit() -> None:
    numbers = re.search(
        r"(\d+) a week with a reserve of (\d+) and an emergency pool of (\d+) leaves an operating pool of (\d+): "
        r"the pools together never exceed the limit\.",
        WORDS,
    )
    assert numbers is not None
    amount, reserve, emergency, operating = map(int, numbers.groups())
    limit = Limit(window=Window.WEEK, amount_minor=amount)
    terms = BudgetTerms(
        allowance=LimitTerms(limits=(limit,)), pools=Pools(reserve_minor=reserve, emergency_minor=emergency)
    )
    pools = Pools(reserve_minor=reserve, emergency_minor=emergency, pools_of=terms.pools_of)
    [state] = window_states([limit], pools, {}, Zone(), BEGINNING)
    assert {pool: each.amount_minor for pool, each in state.pools.items()} == {
        Pool.OPERATING: operating,
        Pool.RESERVE: reserve,
        Pool.EMERGENCY: emergency,
    }
    assert sum(each.amount_minor for each in state.pools.values()) == amount


def test_agent_sees_the_lines_of_the_page() -> None:
    day = PoolBalance(amount_minor=2500, remaining_minor=1850, currency="CAD", window=Window.DAY)
    written = render(None, PromptFigures(own=day, methods=["Card ending in 1234", "TON wallet"]))
    assert f"```\n{written}```" in PAGE


def test_the_page_names_all_placeholders() -> None:
    assert sorted(set(re.findall(r"`\{(\w+)\}`", PAGE))) == sorted(PLACEHOLDERS)
