"""Refusals by the console itself, in the form of the API's."""

from collections.abc import Mapping

from starlette.requests import Request

from console import forms
from console.forms import FormState
from console.gateway import Answer, Problem, Refused, request_id_of
from console.problems import Reaction, reaction_to
from console.texts import _
from domain.common.errors import status_of


def not_found(request: Request) -> Answer:
    problem = Problem(status=404, code="not_found", title=_("Not found"), detail="")
    return Answer(status=404, request_id=request_id_of(request), problem=problem)


def forbidden(request: Request) -> Answer:
    """Return the answer for those whose role a page is not for, where the API is asked for what more may read."""
    problem = Problem(
        status=403, code="auth.forbidden", title=_("Forbidden"), detail=_("Your role cannot see this page.")
    )
    return Answer(status=403, request_id=request_id_of(request), problem=problem)


def nothing_done(reason: str) -> str:
    return _("%(reason)s Nothing was done.", reason=reason)


def not_allowed(request: Request, reason: Mapping[str, str], *others: Reaction) -> FormState:
    """Return what is said of a command that may not be given now, as the API's list of actions says why.

    Raises:
        Refused: they may not at all.
    """
    problem = Problem(status=status_of(reason["code"]), code=reason["code"], title="", detail=reason["detail"])
    if reaction_to(problem) in {Reaction.FORBIDDEN, *others}:
        raise Refused(Answer(status=403, request_id=request_id_of(request), problem=problem))
    return forms.with_summary(forms.blank(), nothing_done(problem.detail))
