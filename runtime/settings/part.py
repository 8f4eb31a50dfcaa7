"""What each part of the settings is."""

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


#: An amount in every currency: one for all, and beside it those of the currencies that it does not suit.
AmountsSetting = Annotated[Amounts, NoDecode, BeforeValidator(_amounts)]


class SettingsPart(BaseSettings):
    """The settings of one noun, which `Settings` puts together."""

    # A setting that cannot be read ends the process with a message that would quote all of them, secrets too.
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
        """Leave out `.env`: no such file is named, and to look each field up in it is half of what settings take."""
        return init_settings, env_settings, file_secret_settings
