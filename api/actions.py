"""What every list of possible actions says of an action that is refused."""

from pydantic import Field

from api.fields import ResponseModel
from domain.errors import DomainError


class ReasonView(ResponseModel):
    """Why an action is refused: the `code` and the `detail` of the problem that the command answers with."""

    code: str = Field(description="As in the list of error codes.")
    detail: str


def reason_of(refusal: DomainError | None) -> ReasonView | None:
    """Show a refusal; None where there is none."""
    return None if refusal is None else ReasonView(code=refusal.error_code, detail=refusal.detail)
