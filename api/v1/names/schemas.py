"""Response schemas of names."""

from pydantic import Field

from api.fields import ResponseModel


class NamesView(ResponseModel):
    """The names of objects by their ids."""

    names: dict[str, str] = Field(
        description="The name of each object, by its id. Objects without a name, unknown ones and those of others are "
        "left out."
    )
