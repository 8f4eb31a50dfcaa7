"""Sections of a page that stand on a call of their own, so that the page goes on without one that did not answer."""

from console.gateway import Answer
from console.problems import answered
from console.widgets import Failed


def unanswered(title: str, answer: Answer, again: str) -> Failed | None:
    """Return what to show in place of a section; None if its call succeeded."""
    return None if answered(answer) else Failed(title=title, request_id=answer.request_id, again=again)
