"""Settings of the web console."""

import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from domain.billing.document.content import Branding
from runtime.settings.part import SettingsPart

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]

#: Background of each theme with the lowest contrast to an accent; checked by `tests/console/test_contrast.py`.
HARDEST = {"light": "#e5effc", "dark": "#2a313b"}
#: WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5
LARGEST_LOGO = 256 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def logo_of(path: Path) -> str:
    """Return a logo file, PNG or SVG, as SVG text.

    Raises:
        ValueError: it cannot be read, is too large, or has another format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}.") from None
    if len(content) > LARGEST_LOGO:
        raise ValueError(f"{path} has more than {LARGEST_LOGO // 1024} KiB. Choose a smaller picture.")
    if content.startswith(_PNG) and content[12:16] == b"IHDR":
        width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
        size, data = f'width="{width}" height="{height}"', base64.b64encode(content).decode()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><image {size} href="data:image/png;base64,{data}"/></svg>'
        )
    text = content.decode(errors="replace")
    if re.match(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<svg[\s>]", text, re.DOTALL) is None:
        raise ValueError(f"{path} is neither a PNG nor an SVG.")
    return text


class ConsoleSettings(SettingsPart):
    console: Literal["on", "off"] = "on"
    console_seed: Path | None = None
    console_read_timeout: timedelta = Field(default=timedelta(seconds=2), gt=timedelta())
    brand_name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] = "Bursar"
    brand_accent: Colour | None = None
    brand_accent_dark: Colour | None = None
    brand_logo: Path | None = None

    @field_validator("brand_logo")
    @classmethod
    def _logo_is_a_picture(cls, path: Path | None) -> Path | None:
        """Refuse an invalid logo at start, and not at the first page."""
        if path is not None:
            logo_of(path)
        return path

    @property
    def look(self) -> Branding:
        return Branding(logo_of(self.brand_logo) if self.brand_logo else "", self.brand_accent or "")

    @model_validator(mode="after")
    def _brand_can_be_read(self) -> Self:
        """Refuse an accent colour without enough contrast to its background."""
        given = {"light": self.brand_accent, "dark": self.brand_accent_dark}
        if (given["light"] is None) != (given["dark"] is None):
            raise ValueError("BURSAR_BRAND_ACCENT and BURSAR_BRAND_ACCENT_DARK go together: one for each theme.")
        names = {"light": "BURSAR_BRAND_ACCENT", "dark": "BURSAR_BRAND_ACCENT_DARK"}
        for theme, colour in given.items():
            if colour is not None and (found := contrast(colour, HARDEST[theme])) < LEAST_CONTRAST:
                other = "darker" if theme == "light" else "lighter"
                raise ValueError(
                    f"{names[theme]} is {colour}, whose contrast is {found:.1f} : 1 on the {theme} theme's grounds and "
                    f"must be {LEAST_CONTRAST} : 1. Choose a {other} one."
                )
        return self
