"""The JSON of answers, and how the store's records become it."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, WithJsonSchema

from segment_engine.api.wire import AudienceType, Metadata, Scalar, Wire

Item = TypeVar("Item")

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Problem(Wire):
    """One thing that is wrong in a request."""

    field: str
    message: str
    code: str
    span: dict[str, int] = Field(default={}, description="start and end in an expression's text")


class ProblemOut(BaseModel):
    """What went wrong; `error` is the same words as `title`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
    message: str = ""
    details: list[Problem] = []


class Rule(Wire):
    """A rule row as it is kept."""

    id: str
    field: str
    operator: str
    values: list[Scalar]
    group_id: str | None
    position: int


class Issue(Wire):
    """One thing that is wrong in a row; `field` is empty where it is the row as a whole."""

    field: str
    code: str
    message: str


class RowIssues(Wire):
    """What is wrong in a row, by its number from 1 below the header."""

    row: int
    issues: list[Issue]


class Import(Wire):
    """A CSV file that is put into a static audience.

    `uploadUrl` is told once, when it is created; `errors` are those of the first 100 rows, and
    errors.csv has all. `reason` says why it failed; `ignoredColumns` are none that consumers have.
    """

    id: str
    audience_id: str
    mode: Literal["ADD", "REPLACE"]
    status: Literal[
        "AWAITING_UPLOAD",
        "VALIDATING",
        "PROCESSING",
        "COMPLETED",
        "COMPLETED_WITH_ERRORS",
        "FAILED",
    ]
    progress: int = Field(description="of 100")
    total_consumers: int | None
    processed_consumers: int
    error_count: int
    errors: list[RowIssues] = Field(default=[])
    reason: str | None
    ignored_columns: list[str]
    upload_url: str | None
    upload_method: Literal["PUT"]
    expires_at: Instant
    created_at: Instant
    updated_at: Instant


class SourceData(Wire):
    """What is known of a list, and how its sync goes: of the one that runs, else of the last.

    `profiles` were read and `processed` of them put in; of `leftOut` a value could not be kept.
    `list` is what the vendor tells, `error` why the last try failed.
    """

    name: str | None
    list: Metadata | None
    profiles: int
    processed: int
    left_out: int
    error: str | None


class SyncSource(Wire):
    """A list kept elsewhere that an audience has its members of; `syncSourceId` is its id there."""

    id: str
    sync_source: Literal["klaviyo:list"]
    sync_source_id: str
    source_data: SourceData
    sync_status: Literal["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED"]
    last_synced_at: Instant | None


class Audience(Wire):
    """An audience; `rules`, `imports` and `primarySyncSource` where they are included."""

    id: str
    organization_id: str
    name: str
    description: str | None
    type: AudienceType
    icon_name: str | None
    metadata: Metadata | None
    version: int
    revision: int
    group_id: str | None
    group_name: str | None
    group_type: str | None
    primary_sync_source_id: str | None
    last_refreshed_at: Instant | None
    refresh_interval_seconds: int | None
    archived: bool
    created_at: Instant
    updated_at: Instant
    expression: str | None
    rules: list[Rule] = Field(default=[])
    imports: list[Import] = Field(default=[])
    primary_sync_source: SyncSource | None = Field(default=None)


class SkippedList(Wire):
    """A list that no audience was made for, and the audience that has it."""

    list_id: str
    reason: str
    audience_id: str


class Synced(Wire):
    """The audiences that were made of lists, and the lists that were skipped."""

    audiences: list[Audience]
    skipped: list[SkippedList]


class Label(Wire):
    """An audience by name."""

    id: str
    name: str


class Consumer(Wire):
    """A consumer."""

    id: str
    email: str | None
    phone: str | None
    full_name: str | None
    external_id: str | None
    total_orders: int | None
    total_order_value: str | None
    last_order_at: Instant | None
    created_at: Instant | None
    updated_at: Instant
    metadata: Metadata | None


class Member(Consumer):
    """A consumer as a member; `audiences` where they are included."""

    audiences: list[Label] = Field(default=[])


class GroupMember(Consumer):
    """A consumer as a member of a group, with its audience there."""

    audience_id: str


class PageInfo(Wire):
    """Where a page stands in its list."""

    start_cursor: str | None
    end_cursor: str | None
    has_next_page: bool
    has_previous_page: bool


class Listed(Wire, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    page_info: PageInfo


class Changes(Listed[Consumer]):
    """Who came or left with a generation."""

    audience_id: str
    generation: int | None
    as_of: Instant | None
    change: Literal["entered", "left"]
    entered: int
    left: int


class RuleList(Wire):
    """The rules of an audience; none where rows cannot say its expression."""

    data: list[Rule]


class Status(Wire):
    """How fresh the members of an audience are."""

    audience_id: str
    status: Literal["PENDING", "RUNNING", "READY", "FAILED"]
    version: int
    materialized_version: int | None
    member_count: int | None
    stale: bool
    last_refreshed_at: Instant | None
    next_refresh_at: Instant | None
    duration_ms: int | None
    error: str | None


class Count(Wire):
    """How many members there are; null as long as nobody counted."""

    audience_id: str
    count: int | None
    version: int | None
    as_of: Instant | None


class MembersChanged(Wire):
    """How many of the consumers were not there before, or are not any more."""

    changed: int


class Finding(Wire):
    """A warning or a hint about a rule."""

    severity: str
    code: str
    message: str
    field: str
    span: dict[str, int] | None


class Clause(Wire):
    """A part of a rule, and how many consumers it keeps by itself."""

    text: str
    count: int


class Preview(Wire):
    """What a rule would keep."""

    expression: str
    diagnostics: list[Finding]
    count: int
    consumers: int
    members: list[Consumer]
    clauses: list[Clause]
    as_of: Instant


class Tiers(Wire):
    """The audiences of a group of tiers, and what to look at."""

    group_id: str
    audiences: list[Audience]
    warnings: list[str]


class Upserted(Wire):
    """What became of one consumer."""

    id: str
    status: Literal["created", "updated", "unchanged"]


class UpsertedAll(Wire):
    """What became of the consumers, in their order."""

    data: list[Upserted]
    created: int
    updated: int
    unchanged: int


class ConsumerAudiences(Wire):
    """The audiences of a consumer, of the published generation or fresh (generation null)."""

    consumer_id: str
    data: list[Label]
    generation: int | None
    as_of: Instant | None


class Health(Wire):
    """That the service answers, and its store as well."""

    status: Literal["ok"]
