"""Base schemas of lists of possible actions, each with its effect or the reason of its refusal."""

from typing import Generic, Self, TypeVar

from pydantic import Field

from api.fields import ResponseModel
from domain.common.errors import DomainError

ActionT = TypeVar("ActionT")
EffectT = TypeVar("EffectT")


class ReasonView(ResponseModel):
    """Reason of a refusal: `code` and `detail` of the problem document that the command would return."""

    code: str = Field(description="The error code of the refusal, see /docs/errors.")
    detail: str = Field(description="What is wrong, and what to do.")


class ActionView(ResponseModel, Generic[ActionT, EffectT]):
    """Possible command: its effect, or the reason of its refusal.

    It has both if a second operator must approve: sending the command requests the approval.
    """

    action: ActionT
    allowed: bool
    reason: ReasonView | None
    effect: EffectT | None

    @classmethod
    def judged(cls, action: ActionT, effect: EffectT | None, refusal: DomainError | None) -> Self:
        reason = None if refusal is None else ReasonView(code=refusal.error_code, detail=refusal.detail)
        return cls(action=action, allowed=refusal is None, reason=reason, effect=effect)
