"""What each part of the settings is."""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "BURSAR_"


class Part(BaseSettings):
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
