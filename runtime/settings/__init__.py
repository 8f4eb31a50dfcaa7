"""All settings of the product, read from the environment once, by the composition roots only."""

from runtime.settings.read import WrongSettings, ended_by_wrong_settings, read_settings
from runtime.settings.whole import Settings

__all__ = ["Settings", "WrongSettings", "ended_by_wrong_settings", "read_settings"]
