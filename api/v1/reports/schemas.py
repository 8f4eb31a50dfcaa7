"""What reports look like over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from api.fields import GivenName, OrganizationId, Principal, RequestModel, ResponseModel, SearchText, example
from api.v1.analytics.schemas import QuestionBody
from domain.insight.query import Compare, Grain
from domain.insight.report import (
    MAX_QUESTIONS,
    MAX_RECIPIENTS,
    MAX_ROWS,
    TEMPLATES,
    ReportDefinition,
    ReportFormat,
    ReportSchedule,
    ReportTemplate,
    SectionQuery,
)
from models.insight.report import Report, ReportRun
from services.insight.report import ReportRequest

_Period = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9QW-]{2,5}$")]
_EXAMPLE: Mapping[str, Any] = {
    "name": "Spending by project",
    "query": [{"metrics": ["spending"], "by": ["project"], "compare": "previous"}],
    "format": "pdf",
    "schedule": "weekly",
    "zone": "Europe/Vienna",
    "recipients": [],
}


class ReportQuery(QuestionBody):
    """One question of a report, whose period is the report's."""

    title: GivenName | None = Field(default=None, description="What stands above it; the metrics when left out.")
    limit: int = Field(default=100, ge=1, le=MAX_ROWS, strict=True, description="The most rows; totals count all.")

    def question(self) -> SectionQuery:
        return SectionQuery(
            title=self.title or "",
            metrics=tuple(self.metrics),
            by=tuple(self.by),
            where={name: tuple(values) for name, values in self.where.items()},
            grain=self.grain,
            compare=self.compare,
            currency=self.currency,
            limit=self.limit,
        )


class ReportSet(RequestModel):
    """The content of a report: a template, or questions of its own."""

    model_config = example(**_EXAMPLE)

    name: GivenName
    template: SearchText | None = Field(
        default=None, description=f"Questions that stand: {', '.join(f'`{name}`' for name in TEMPLATES)}."
    )
    query: list[ReportQuery] = Field(
        default=[], max_length=MAX_QUESTIONS, description="The report's own questions, without a template."
    )
    format: ReportFormat = ReportFormat.HTML
    schedule: ReportSchedule | None = Field(default=None, description="How long its periods are; that of the template.")
    zone: SearchText = Field(default="UTC", description="The IANA time zone in which periods begin.")
    recipients: list[Principal] = Field(
        default=[],
        max_length=MAX_RECIPIENTS,
        description="The principals who are notified of each run by their channels, as far as they may read it.",
    )

    @model_validator(mode="after")
    def _needs_a_schedule(self) -> "ReportSet":
        if self.schedule is None and self.template not in TEMPLATES:
            raise ValueError("A report without a template needs a schedule.")
        return self

    def to_request(self) -> ReportRequest:
        schedule = self.schedule or TEMPLATES[self.template or ""].schedule
        definition = ReportDefinition(
            name=self.name,
            schedule=schedule,
            format=self.format,
            zone=self.zone,
            template=self.template,
            questions=tuple(each.question() for each in self.query),
        )
        return ReportRequest(definition=definition, recipients=tuple(self.recipients))


class ReportCreate(ReportSet):
    """A new report. An operator names the organization, or leaves it out for a report of the platform."""

    model_config = example(**_EXAMPLE)

    organization_id: OrganizationId | None = None


class ReportRunRequest(RequestModel):
    """The period to compute."""

    model_config = example(period="2026-W13")

    period: _Period = Field(description="A day `2026-03-29`, week `2026-W13`, month `2026-03` or quarter `2026-Q1`.")


class ReportRunRequestedView(ResponseModel):
    """The period that is computed."""

    report_id: str
    period: str


class ReportQueryView(ResponseModel):
    """One question of a report."""

    title: str
    metrics: list[str]
    by: list[str]
    where: dict[str, list[str]]
    grain: Grain | None
    compare: Compare | None
    currency: str | None
    limit: int

    @classmethod
    def of(cls, question: SectionQuery) -> "ReportQueryView":
        return cls(**question.stored())


class ReportView(ResponseModel):
    """A report, as it was last set."""

    id: str
    organization_id: str | None
    name: str
    template: str | None
    query: list[ReportQueryView]
    format: ReportFormat
    schedule: ReportSchedule
    zone: str
    recipients: list[str]
    next_period: str | None = Field(description="The period of the next run; null once the report is deleted.")
    next_run_at: datetime | None = Field(description="When that run is made.")
    is_changing: bool = Field(description="Whether that run is still made by what was set before.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, row: Report) -> "ReportView":
        next_one = ReportDefinition.kept(row.definition)
        held = next_one if row.next_definition is None else ReportDefinition.kept(row.next_definition)
        return cls.from_row(
            row,
            name=held.name,
            template=held.template,
            query=[ReportQueryView.of(each) for each in held.questions],
            format=held.format,
            schedule=held.schedule,
            zone=held.zone,
            next_period=None if row.ended_at is not None else next_one.period_at(row.period_from).name,
            next_run_at=row.due_at,
            is_changing=row.next_definition is not None and row.ended_at is None,
            deleted_at=row.ended_at,
        )


class ReportRunView(ResponseModel):
    """One version of a period: its file, and who was notified."""

    number: int
    period: str
    version: int = Field(description="Counts the versions of the period from 1; a later one has other figures.")
    format: ReportFormat
    sha256: str = Field(description="Of the file, in hexadecimal digits.")
    notified: list[str] = Field(description="The recipients who were notified.")
    left_out: dict[str, Literal["no_key", "not_permitted", "switched_off"]] = Field(
        description="The other recipients, each with the reason."
    )
    made_at: datetime

    @classmethod
    def of(cls, row: ReportRun) -> "ReportRunView":
        return cls.from_row(row, format=ReportFormat(row.definition["format"]), notified=row.told)


class ReportTemplateView(ResponseModel):
    """Questions that a report can have instead of its own."""

    name: str
    description: str
    schedule: ReportSchedule
    query: list[ReportQueryView]

    @classmethod
    def of(cls, template: ReportTemplate) -> "ReportTemplateView":
        return cls.from_row(
            template, description=template.sentence, query=[ReportQueryView.of(each) for each in template.questions]
        )
