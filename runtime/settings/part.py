"""Base of the parts of the settings."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from domain.common.errors import Invalid
from domain.common.money import Amounts, amounts_from

PREFIX = "BURSAR_"


def _amounts(value: object) -> object:
    try:
        return amounts_from(value) if isinstance(value, str) else value
    except Invalid as error:
        raise ValueError(error.detail) from None


#: Amount in every currency: one for all, and exceptions by currency.
AmountsSetting = Annotated[Amounts, NoDecode, BeforeValidator(_amounts)]


class SettingsPart(BaseSettings):
    """Settings of one area, combined by `Settings`."""

    # Input is hidden in error messages, which would quote all settings, including secrets.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the unused `.env` source, which takes half of the time of reading settings."""
        return init_settings, env_settings, file_secret_settings
