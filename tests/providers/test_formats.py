"""Numbers as languages write them, held against the CLDR patterns of Babel."""

from decimal import Decimal
from random import Random

from babel.numbers import format_decimal

from domain.common.mail import LANGUAGES
from providers.formats import formats_of
from tests.support.cases import for_each
from tests.support.seeds import RUN_SEED

LOCALES = {"en": "en_GB", "de": "de_DE", "fr": "fr_FR", "es": "es_ES"}
PATTERNS = {0: "#,##0", 2: "#,##0.00", 3: "#,##0.000", 9: "#,##0.000000000"}


@for_each("language", LANGUAGES)
@for_each("decimals", PATTERNS)
def test_number_is_written_as_the_language_writes_it(language: str, decimals: int) -> None:
    draw = Random(f"{RUN_SEED} {language} {decimals}")
    edges = (0, -1, 999, 1000, -1000, 999_999, 10**18)
    for minor in (*edges, *(draw.randint(-(10 ** draw.randint(1, 18)), 10**18) for _ in range(200))):
        value = Decimal(minor).scaleb(-decimals)
        expected = format_decimal(value, PATTERNS[decimals], locale=LOCALES[language])
        assert formats_of(language).number(value, decimals) == expected
