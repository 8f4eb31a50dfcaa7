"""The table of each package's and plan's margin, and the page that shows it."""

from pathlib import Path

from commands.economics import shown
from runtime.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "revenue.md"


def test_no_default_loses_money_except_the_two_smallest_packages_in_escrows() -> None:
    lost = [
        (each.sale.name, str(use), minor)
        for each in Settings().sale_margins
        for use, minor in each.left.items()
        if minor < 0
    ]
    assert lost == [("package pack_50", "escrows", -20), ("package pack_100", "escrows", -9)]


def test_page_shows_the_table_of_the_defaults() -> None:
    assert "```\n" + "\n".join(shown(Settings())) + "\n```" in PAGE.read_text(encoding="utf-8")
