"""What each part of the settings is."""

from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "BURSAR_"


class Part(BaseSettings):
    """The settings of one noun, which `Settings` puts together."""

    # A setting that cannot be read ends the process with a message that would quote all of them, secrets too.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)
