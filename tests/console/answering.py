"""Answers of the API for pages that are tested without it."""

from console.gateway import Answer, Problem


def said(body: object) -> Answer:
    return Answer(status=200, request_id="req_1", body=body)


def refused(status: int, code: str) -> Answer:
    problem = Problem(status=status, code=code, title="", detail="No.")
    return Answer(status=status, request_id="req_1", problem=problem)
