"""Schemas of exports."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field

from api.fields import Exact, Moment, RequestModel, ResponseModel, example
from domain.common.money import format_amount
from domain.insight.export import Dataset, ExportFormat, ExportStatus, file_name
from models.insight.export import ExportFileRow, ExportRow


class ExportCreate(RequestModel):
    """Exports rows of a period. Operators export those of all organizations."""

    model_config = example(
        dataset="entries", **{"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}, format="csv"
    )

    dataset: Dataset
    since: Moment = Field(alias="from", description="Rows recorded at this time or later.")
    until: Moment | None = Field(
        default=None, alias="to", description="Rows recorded before this time; at most and by default the present."
    )
    format: ExportFormat = ExportFormat.CSV


class ExportFileView(ResponseModel):
    """A finished file."""

    number: int
    name: str
    rows: int
    bytes: int
    sha256: str
    sums: dict[str, Exact] = Field(description="The sum of the dataset's amounts, by currency.")
    url: str

    @classmethod
    def of(cls, row: ExportRow, file: ExportFileRow) -> "ExportFileView":
        return cls.from_row(
            file,
            name=file_name(row.dataset, file.number, row.format),
            sums=_written(file.sums),
            url=f"/api/v1/exports/{row.id}/files/{file.number}",
        )


class ExportView(ResponseModel):
    """An export and its progress. In a list, `files` is empty."""

    id: str
    organization_id: str | None = Field(description="The organization; null for all.")
    dataset: Dataset
    format: ExportFormat
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    status: ExportStatus
    rows_done: int = Field(description="The number of rows in finished files.")
    files: list[ExportFileView]
    sums: dict[str, Exact] = Field(description="The sums of all finished files, by currency.")
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the files are deleted: seven days after the last one.")

    @classmethod
    def of(cls, row: ExportRow, files: Sequence[ExportFileRow] = ()) -> "ExportView":
        sums: dict[str, int] = {}
        for each in files:
            for asset, minor in each.sums.items():
                sums[asset] = sums.get(asset, 0) + minor
        return cls.from_row(
            row,
            **{"from": row.since, "to": row.until},
            files=[ExportFileView.of(row, each) for each in files],
            sums=_written(sums),
        )


def _written(sums: Mapping[str, int]) -> dict[str, str]:
    return {asset: format_amount(minor, asset) for asset, minor in sorted(sums.items())}
