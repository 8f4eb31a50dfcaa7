"""Settings of the web console."""

from pathlib import Path
from typing import Literal

from runtime.settings.part import Part


class ConsoleSettings(Part):
    """Settings of the web console."""

    console: Literal["on", "off"] = "on"
    console_seed: Path | None = None
