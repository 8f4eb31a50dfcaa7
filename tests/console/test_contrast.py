"""Every pair of colours that meet can be told apart, in both themes; and colours have one place."""

import re
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from console.assets import Assets
from runtime.settings import console as settings
from runtime.settings.console import ConsoleSettings

STATIC = Path(__file__).resolve().parents[2] / "console/static"
TOKENS = re.sub(r"/\*.*?\*/", "", (STATIC / "tokens.css").read_text(), flags=re.DOTALL)
DECLARED = dict(re.findall(r"--([\w-]+):\s*([^;]+);", TOKENS))
THEMES = ("light", "dark")
GROUNDS = ("ground", "surface", "sunken", "hover", "line-soft")
TONES = ("good", "busy", "warn", "bad", "idle")
SOFT = tuple(f"{tone}-soft" for tone in TONES)
SERIES = tuple(f"series-{number}" for number in range(1, 7))
#: WCAG 2.2, 1.4.3: words on their ground.
WORDS = [
    *product(("text", "dim"), (*GROUNDS, *SOFT, "accent-soft")),
    *product(("accent", "accent-strong"), (*GROUNDS, *SOFT, "accent-soft")),
    *product(TONES, ("ground", "surface")),
    *((tone, f"{tone}-soft") for tone in TONES),
    *product(("on-accent",), ("accent", "accent-strong")),
    # The initials of agents.
    *product(("on-disc",), SERIES),
    *product(("on-danger",), ("danger", "danger-strong")),
    ("danger", "surface"),
]
#: WCAG 2.2, 1.4.11: what must be seen to use a control or to read a drawing.
SHAPES = [
    *product(("edge", "focus"), ("ground", "surface", "sunken")),
    *product(SERIES, ("surface", "ground")),
    *product(TONES, ("idle-soft",)),
]
COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\(|"
    r":[^;{}]*\b(?:white|black|red|green|blue|grey|gray|orange|yellow|purple|silver)\b",
    re.IGNORECASE,
)


def value(name: str, theme: str) -> list[int]:
    """Return a token's red, green and blue in a theme."""
    text = DECLARED[name].strip()
    while not text.startswith("#"):
        text = re.sub(r"light-dark\((.+?), (.+)\)", rf"\{THEMES.index(theme) + 1}", text)
        text = re.sub(r"var\(--([\w-]+)\)", lambda found: DECLARED[found[1]].strip(), text)
    return [int(text[at : at + 2], 16) for at in (1, 3, 5)]


def luminance(colour: list[int]) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES)
def test_accent_of_the_installations_own_is_measured_where_it_is_hardest_to_read(theme: str) -> None:
    grounds = ["#{:02x}{:02x}{:02x}".format(*value(name, theme)) for name in (*GROUNDS, *SOFT)]
    hardest = min if theme == "light" else max
    assert hardest(grounds, key=settings.luminance) == settings.HARDEST[theme]


@pytest.mark.parametrize(
    ("light", "dark", "said"),
    [
        ("#0b5f5f", "#7fd6d6", ""),
        ("#7fd6d6", "#7fd6d6", "Choose a darker one"),
        ("#0b5f5f", "#0b5f5f", "Choose a lighter one"),
        ("#0b5f5f", None, "go together"),
        ("red", "#7fd6d6", "match pattern"),
    ],
)
def test_accent_that_cannot_be_read_is_refused_at_start(light: str, dark: str | None, said: str) -> None:
    given = {"brand_accent": light, "brand_accent_dark": dark}
    if said:
        with pytest.raises(ValidationError, match=said):
            ConsoleSettings(**given)
    else:
        assert ConsoleSettings(**given).brand_accent == light


def test_accent_of_the_installations_own_takes_the_place_of_ours() -> None:
    own = Assets(accent=("#0b5f5f", "#7fd6d6"))
    answer = own.answer(own.url("console.css").rpartition("/")[2], "")
    assert answer is not None
    assert bytes(answer.body).endswith(b"--accent-soft: var(--idle-soft); }\n")
    assert b"--accent: light-dark(#0b5f5f, #7fd6d6);" in bytes(answer.body)
    assert own.url("console.css") != Assets().url("console.css")


def contrast(one: str, other: str, theme: str) -> float:
    high, low = sorted((luminance(value(one, theme)), luminance(value(other, theme))), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_words_stand_out_from_their_ground(theme):
    assert [pair for pair in WORDS if contrast(*pair, theme) < 4.5] == []


@pytest.mark.parametrize("theme", THEMES)
def test_shapes_stand_out_from_their_ground(theme):
    assert [pair for pair in SHAPES if contrast(*pair, theme) < 3] == []


@pytest.mark.parametrize("theme", THEMES)
def test_statuses_reach_more_than_they_must(theme):
    assert min(contrast(tone, f"{tone}-soft", theme) for tone in TONES) >= 5.8


def test_every_meaning_has_a_value_in_both_themes():
    meanings = [name for name, text in DECLARED.items() if text.startswith("light-dark(")]
    opaque = [name for name in meanings if "rgb" not in DECLARED[name]]

    assert len(opaque) > 30
    for name, theme in product(opaque, THEMES):
        value(name, theme)


def test_every_token_that_is_named_exists():
    used = {
        name
        for sheet in STATIC.glob("*.css")
        for name in re.findall(r"var\(--([\w-]+)", re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL))
    }

    assert used - set(DECLARED) == set()


@pytest.mark.parametrize("sheet", sorted(path.name for path in STATIC.glob("*.css") if path.name != "tokens.css"))
def test_no_sheet_but_the_tokens_names_a_colour(sheet):
    text = re.sub(r"/\*.*?\*/", "", (STATIC / sheet).read_text(), flags=re.DOTALL)

    assert COLOUR.findall(text) == []


@pytest.mark.parametrize("sheet", ["base.css", "parts.css"])
def test_pixels_are_for_lines_and_shadows_alone(sheet):
    text = re.sub(r"/\*.*?\*/", "", (STATIC / sheet).read_text(), flags=re.DOTALL)
    lines = [line for line in re.split(r"[;{}]", text) if "px" in line and "shadow" not in line and "font" not in line]

    assert [line.strip() for line in lines if any(int(size) > 4 for size in re.findall(r"(\d+)px", line))] == []


def test_text_has_the_sizes_of_the_scale():
    sizes = [text for name, text in DECLARED.items() if re.fullmatch(r"t\d", name)]
    spaces = [text for name, text in DECLARED.items() if re.fullmatch(r"s\d", name)]

    assert [float(size.removesuffix("rem")) * 16 for size in sizes] == [12, 13, 15, 17, 24]
    assert [float(size.removesuffix("rem")) * 16 for size in spaces] == [4, 8, 12, 16, 24, 32]


def test_symbols_take_the_colour_of_the_text_around_them():
    assert COLOUR.findall((STATIC / "icons.svg").read_text()) == []
