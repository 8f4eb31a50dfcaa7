"""Request and response schemas of secrets, their grants and their access log."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from api.fields import (
    AgentId,
    Amount,
    DepartmentId,
    Exact,
    FreeText,
    Moment,
    Period,
    Principal,
    ProjectId,
    RequestModel,
    ResponseModel,
    SearchText,
    Storable,
    Whole,
    example,
    period_text,
)
from api.v1.spends.schemas import RunId
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.messages.webhook.address import MAX_URL
from domain.secrets.access import AccessOutcome, AccessVerb
from domain.secrets.grant import CHARGED, MAX_HOSTS, MAX_PATHS, MAX_STATUSES, MAX_USES_PER_DAY, HttpMethod, NewGrant
from domain.secrets.rotation import Rotation, RotationStatus, RotatorName, wakes_at
from domain.secrets.rotation_plan import OFF
from domain.secrets.secret import MAX_BYTES, SecretKind, VersionStatus
from domain.secrets.secret_use.placing import MAX_NAME, MAX_PLACES, PLACES, PREFIXES, Placement, RequestPart
from domain.secrets.secret_use.request import ALLOWED, MAX_HEADER, MAX_HEADERS
from models.secrets.access import SecretAccess
from models.secrets.grant import SecretGrant
from models.secrets.secret import Secret, SecretVersion

_Host = Annotated[str, StringConstraints(min_length=1, max_length=261)]
_Path = Annotated[str, StringConstraints(min_length=1, max_length=202)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=8_192)]
_SECOND = timedelta(seconds=1)
_Place = Annotated[str, StringConstraints(min_length=1, max_length=107)]
_HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
_Purpose = Annotated[SearchText, FreeText]
_HOSTS = "Names of hosts, such as `api.example.com`, with the port if it is not 443. No patterns."


class RotationStep(RequestModel):
    """A request of a rotation. Texts of headers and of the body may contain `{{new}}`, `{{current}}` and `{{version}}`.

    These are the new value, the value that it replaces, and the number of the new version; an address can contain only
    `{{version}}`. The step has succeeded when the answer is 2xx.
    """

    method: HttpMethod
    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] = Field(
        description="At one of the secret's hosts."
    )
    headers: dict[_Text, _Text] = Field(default={}, max_length=50)
    body: Any = Field(default=None, description="A text is sent unchanged, anything else as JSON.")


class RotationRequests(RequestModel):
    """The steps of the rotator `http`."""

    apply: RotationStep = Field(description="Sets or adds `{{new}}`. It may be made again with the same value.")
    test: RotationStep = Field(description="Succeeds with `{{new}}`, and is refused without it.")
    put_back: RotationStep | None = Field(
        default=None, description="After a failed test: makes `{{current}}` valid again, and `{{new}}` invalid."
    )
    revoke: RotationStep | None = Field(
        default=None, description="After the grace period: ends `{{current}}`. Leave it out if `apply` has replaced it."
    )


class RotationDatabase(RequestModel):
    """The target of the rotator `postgres`: two existing roles with the same rights, which alternate."""

    host: _Host = Field(description="On the public internet with a certificate, or listed by the operator.")
    port: int = Field(default=5432, ge=1, le=65_535, strict=True)
    database: _Text
    roles: list[_Text] = Field(min_length=2, max_length=2)
    admin: _Path = Field(description="The path of the login that may change their passwords.")


class SecretRotationPut(RequestModel):
    """How a secret is replaced by schedule; with the rotator `off` it is not."""

    rotator: Literal["bursar", "postgres", "http", "manual", "off"] = Field(
        description="`bursar` for API keys of Bursar, `postgres` for logins, `http` by described requests. With"
        " `manual` a person sets the new value and sends it."
    )
    every: Period = Field(default=timedelta(days=90), description="The interval of rotations.")
    grace: Period = Field(
        default=timedelta(days=1),
        description="How long the previous value stays usable, and is not revoked; shorter than `every`.",
    )
    deadline: Period = Field(
        default=timedelta(days=7), description="How late a rotation may be before an alert says that it is overdue."
    )
    postgres: RotationDatabase | None = None
    http: RotationRequests | None = None

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        for name in ("postgres", "http"):
            if (getattr(self, name) is not None) is not (self.rotator == name):
                raise ValueError(f"{name} is what the rotator {name} needs, and no other one.")
        return self

    def document(self) -> Mapping[str, Any]:
        if self.rotator == OFF["rotator"]:
            return OFF
        target: RequestModel | None = self.postgres or self.http
        return {
            "rotator": self.rotator,
            "every_seconds": self.every // _SECOND,
            "grace_seconds": self.grace // _SECOND,
            "deadline_seconds": self.deadline // _SECOND,
            **({} if target is None else {self.rotator: target.model_dump(mode="json", exclude_none=True)}),
        }


class SecretRotationView(ResponseModel):
    """How a secret is replaced by schedule, and the status of its rotation."""

    rotator: RotatorName
    every: str
    grace: str
    deadline: str
    postgres: dict[str, Any] | None
    http: dict[str, Any] | None
    status: RotationStatus
    version: int | None = Field(description="The version that is being created, or was created last.")
    due_at: datetime
    overdue_at: datetime = Field(description="When an alert says that it is late.")
    next_at: datetime | None = Field(description="The time of the next step; null while it waits for a person.")
    failures: int = Field(description="How often it has failed since the last success.")
    detail: str | None = Field(description="The reason of the last failure.")

    @classmethod
    def of(cls, held: Rotation, now: datetime) -> Self:
        plan, waits = held.plan, held.status is RotationStatus.WAITING
        return cls.from_row(
            held,
            rotator=plan.rotator,
            every=period_text(plan.every // _SECOND),
            grace=period_text(plan.grace // _SECOND),
            deadline=period_text(plan.deadline // _SECOND),
            postgres=dict(plan.target) if plan.rotator is RotatorName.POSTGRES else None,
            http=dict(plan.target) if plan.rotator is RotatorName.HTTP else None,
            version=held.number or None,
            next_at=None if waits else wakes_at(held, now),
        )


class SecretRotate(RequestModel):
    """A rotation that begins now."""

    model_config = example(grace="PT1H")

    value: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="For the rotator `manual`, and only there: the new value, which you have set at the target.",
    )
    grace: Period | None = Field(
        default=None, description="How long the previous value stays usable this time. After a leak, send `PT1S`."
    )


class SecretRotationStop(RequestModel):
    """A rotation that is stopped."""

    model_config = example(give_up=False)

    give_up: bool = Field(
        default=False,
        strict=True,
        description="End what has failed without the target, because you have set the target right yourself.",
    )


class SecretPut(RequestModel):
    """A secret, or a new value of it."""

    model_config = example(kind="api_key", value="…", hosts=["api.example.com"])

    kind: SecretKind = Field(
        description="`reference` below `payments/`, and only there; a `login` is JSON with `username` and `password`."
    )
    value: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=f"Up to {MAX_BYTES // 1024} KiB. Leave it out to change only other fields of a secret.",
    )
    hosts: list[_Host] | None = Field(
        default=None, max_length=MAX_HOSTS, description=f"The only hosts that it may be used for. {_HOSTS}"
    )
    grace: Period | None = Field(
        default=None,
        description="How long the previous value can still be opened by its version. By default not at all.",
    )

    rotation: SecretRotationPut | None = Field(
        default=None, description="How it is replaced by schedule. Leave it out to keep the schedule."
    )

    @property
    def usable_for(self) -> timedelta:
        """Return how long the previous value can be opened."""
        return self.grace or timedelta(0)


class SecretVersionView(ResponseModel):
    """One value of a secret."""

    number: int
    status: VersionStatus
    key_id: str | None = Field(description="The key that wraps its key. Null if Vault stores it.")
    usable_until: datetime | None
    created_by: str
    created_at: datetime
    destroyed_at: datetime | None

    @classmethod
    def of(cls, row: SecretVersion) -> Self:
        return cls.from_row(row)


class SecretPrice(RequestModel):
    """The price of one use."""

    amount: Amount
    currency: Literal["CREDIT"] = "CREDIT"


class SecretGrantCreate(RequestModel):
    """Permission for a principal or an agent of the organization to use or read secrets."""

    model_config = example(
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        paths=["api_keys/models/*"],
        verbs=["use"],
        hosts=["api.example.com"],
        methods=["POST"],
        uses_per_day=1000,
        ends_at="2027-01-01T00:00:00Z",
    )

    principal: Principal | None = Field(default=None, description="A person or a service. Send this or `agent_id`.")
    agent_id: AgentId | None = None
    paths: list[_Path] = Field(
        min_length=1, max_length=MAX_PATHS, description="Paths, and `prefix/*` for all below a prefix."
    )
    verbs: list[Literal[AccessVerb.USE, AccessVerb.READ]] = Field(
        min_length=1,
        max_length=2,
        description="`use`: a request is made with the value, which is not shown. `read`: the value is shown.",
    )
    hosts: list[_Host] = Field(default=[], max_length=MAX_HOSTS, description=f"Where `use` may go. {_HOSTS}")
    methods: list[HttpMethod] = Field(default=[], max_length=len(HttpMethod))
    places: list[_Place] = Field(
        default=list(PLACES),
        min_length=1,
        max_length=MAX_PLACES,
        description="Where in a request `use` may place the value: `basic`, `header:<name>`, `query:<name>` or "
        "`body:<name>`. Name only those that authenticate: what stands elsewhere may be kept and shown by the host.",
    )
    headers: list[_HeaderName] = Field(
        default=[],
        max_length=MAX_HEADERS,
        description="Headers that `use` may set beside " + ", ".join(f"`{name}`" for name in sorted(ALLOWED)) + ".",
    )
    uses_per_day: Whole | None = Field(
        default=None, ge=1, le=MAX_USES_PER_DAY, description="How often on a UTC day. By default without a limit."
    )
    price: SecretPrice | None = Field(
        default=None,
        description="What one use costs the organization of its user, within budgets and limits; with `meter`, what "
        "is held for it, and what it costs if its answer does not say.",
    )
    meter: SearchText | None = Field(
        default=None,
        description="The provider by whose model prices the usage in each answer is charged, such as `openai`.",
    )
    charged_statuses: list[Annotated[str, StringConstraints(min_length=3, max_length=3)]] = Field(
        default=list(CHARGED),
        min_length=1,
        max_length=MAX_STATUSES,
        description="The answers that are charged: a status such as `404`, or a class such as `4xx`. Others are free.",
    )
    ends_at: Moment = Field(description="At most 366 days from now.")

    def new(self) -> NewGrant:
        price = None if self.price is None else parse_amount(self.price.amount, CREDIT)
        return NewGrant(
            principal=self.principal,
            agent_id=self.agent_id,
            paths=tuple(self.paths),
            verbs=tuple(self.verbs),
            hosts=tuple(self.hosts),
            methods=tuple(self.methods),
            places=tuple(self.places),
            headers=tuple(self.headers),
            uses_per_day=self.uses_per_day,
            price_minor=price,
            meter=self.meter,
            charged_statuses=tuple(self.charged_statuses),
            ends_at=self.ends_at,
        )


class SecretGrantView(ResponseModel):
    """Permission to use or read secrets."""

    id: str
    principal: str | None
    agent_id: str | None
    paths: list[str]
    verbs: list[AccessVerb]
    hosts: list[str]
    methods: list[str]
    places: list[str]
    headers: list[str]
    uses_per_day: int | None
    uses_today: int = Field(description="On this UTC day so far.")
    price: Exact | None = Field(description="What one use costs, in credits.")
    meter: str | None
    charged_statuses: list[str]
    ends_at: datetime
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, row: SecretGrant, uses_today: int) -> Self:
        return cls.from_row(
            row,
            verbs=[AccessVerb(verb) for verb in row.verbs],
            price=None if row.price_minor is None else format_amount(row.price_minor, CREDIT),
            uses_today=uses_today,
        )


class SecretView(ResponseModel):
    """A secret without its value."""

    id: str
    organization_id: str
    path: str
    kind: SecretKind
    backend: str = Field(description="The store of its values: `postgres` or `vault`.")
    hosts: list[str] = Field(description="The only hosts that it may be used for. Empty: the grants decide.")
    current_version: int | None = Field(description="Null while no value is current.")
    created_by: str
    created_at: datetime
    versions: list[SecretVersionView] | None = Field(
        description="Newest first; null in lists, and for callers that do not manage or audit secrets."
    )
    rotation: SecretRotationView | None = Field(
        description="How it is replaced by schedule; null if it is not, and whenever `versions` is null."
    )
    grants: list[SecretGrantView] = Field(description="Your own active grants that name it.")

    @classmethod
    def of(
        cls,
        row: Secret,
        grants: list[SecretGrantView],
        versions: list[SecretVersionView] | None = None,
        rotation: SecretRotationView | None = None,
    ) -> Self:
        return cls.from_row(row, versions=versions, rotation=rotation, grants=grants)


class SecretOpen(RequestModel):
    """A request for a value."""

    model_config = example(purpose="Set up the new server")

    purpose: _Purpose = Field(description="The purpose. The access log stores it.")
    version: Storable | None = Field(default=None, description="By default the current one.")


class SecretValueView(ResponseModel):
    """The value of a secret. The access log records the read."""

    path: str
    kind: SecretKind
    version: int
    value: str


class SecretAccessView(ResponseModel):
    """A request for a secret, also one that was refused."""

    number: int
    at: datetime
    path: str
    version: int | None
    verb: AccessVerb
    outcome: AccessOutcome
    grant_id: str | None
    principal: str
    key_id: str | None = Field(description="The API key of the request; null for the platform's own verbs.")
    agent_id: str | None
    host: str | None
    method: str | None
    purpose: str | None
    reference: str | None = Field(description="The purpose, such as the id of a use.")

    @classmethod
    def of(cls, row: SecretAccess) -> Self:
        return cls.from_row(row)


class ToolRequestCreate(RequestModel):
    """The request to be made, without the secret."""

    model_config = example(method="POST", url="https://api.example.com/v1/answers", body='{"model": "small"}')

    method: HttpMethod
    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)] = Field(
        description="With `https://`, without a user or a fragment."
    )
    headers: dict[_HeaderName, Annotated[str, StringConstraints(max_length=MAX_HEADER)]] = Field(
        default={},
        max_length=MAX_HEADERS,
        description="Headers that every use may set, and headers that the grant names.",
    )
    body: str | None = Field(
        default=None, description="Sent unchanged. It is JSON unless `content-type` says otherwise."
    )


class SecretPlaceCreate(RequestModel):
    """The place of the value in the request; one of the places of the grant."""

    model_config = example(**{"in": "header", "name": "Authorization", "prefix": "Bearer "})

    part: RequestPart = Field(
        alias="in",
        description="`body`: a member of its JSON object or a field of its form. `basic`: the password of the user "
        "`name`; without a name the value is the user; a login has both.",
    )
    name: Annotated[str, StringConstraints(max_length=MAX_NAME)] = Field(
        default="", description="The name of the header, the query parameter, or the member or field of the body."
    )
    prefix: Annotated[str, StringConstraints(max_length=MAX_NAME)] = Field(
        default="",
        description="The text before the value in a header: "
        + ", ".join(f"`{prefix}`" for prefix in PREFIXES)
        + ". In any case.",
    )

    def placement(self) -> Placement:
        return Placement(part=self.part, name=self.name, prefix=self.prefix)


class SecretChargeCreate(RequestModel):
    """The attribution of the cost, as with `POST /credits/use`."""

    department_id: DepartmentId | None = None
    project_id: ProjectId | None = None
    run_id: RunId | None = None


class SecretUseCreate(RequestModel):
    """A request that is to be made with a secret."""

    model_config = example(
        request={"method": "POST", "url": "https://api.example.com/v1/answers", "body": '{"model": "small"}'},
        place={"in": "header", "name": "Authorization", "prefix": "Bearer "},
        purpose="Answer the customer",
    )

    request: ToolRequestCreate
    place: SecretPlaceCreate
    purpose: _Purpose = Field(description="The purpose. The access log stores it.")
    charge: SecretChargeCreate = SecretChargeCreate()


class HeaderView(ResponseModel):
    """A header of an answer."""

    name: str
    value: str


class SecretUseView(ResponseModel):
    """The answer to a request that was made with a secret. It is not stored."""

    id: str
    version: int = Field(description="Of the secret.")
    status: int = Field(description="The status code of the answer. Redirects are not followed.")
    headers: list[HeaderView]
    body: str | None = Field(description="Null if it is in `body_base64`.")
    body_base64: str | None = Field(description="A body that is not text, or much longer in JSON than in base64.")
    is_scrubbed: bool = Field(description="Whether the secret was in the answer. It is replaced by `[secret]`.")
    cost: Exact | None = Field(description="What was charged, in credits. Null if the use is free.")
    spend_id: str | None
