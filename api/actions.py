"""What every list of possible actions says of one: what it would do, or why it is refused."""

from typing import Generic, Self, TypeVar

from pydantic import Field

from api.fields import ResponseModel
from domain.common.errors import DomainError

ActionT = TypeVar("ActionT")
EffectT = TypeVar("EffectT")


class ReasonView(ResponseModel):
    """Why an action is refused: the `code` and the `detail` of the problem that the command answers with."""

    code: str = Field(description="The error code of the refusal, see /docs/errors.")
    detail: str = Field(description="What is wrong, and what to do.")


class ActionView(ResponseModel, Generic[ActionT, EffectT]):
    """One command: its effect if the caller may give it now, or the reason why not.

    It has both if a second operator has to approve: giving the command requests the approval.
    """

    action: ActionT
    allowed: bool
    reason: ReasonView | None
    effect: EffectT | None

    @classmethod
    def judged(cls, action: ActionT, effect: EffectT | None, refusal: DomainError | None) -> Self:
        reason = None if refusal is None else ReasonView(code=refusal.error_code, detail=refusal.detail)
        return cls(action=action, allowed=refusal is None, reason=reason, effect=effect)
