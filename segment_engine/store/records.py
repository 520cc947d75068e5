"""What the store gives: rows as values. Instants are microseconds since 1970 in UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeVar

from segment_engine import Engine, Schema
from segment_engine.store.exact_json import dumps, loads

Json = Any
"""What JSON says in Python; numbers are int and Decimal."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Organization:
    """Whose consumers and audiences they are.

    `schema` is as its file spells it, None for the default one. `change_seq` counts changes of
    consumers, `definition_seq` those of anything else that members depend on.
    """

    id: str
    name: str
    timezone: str
    currency: str
    phone_region: str | None
    schema: dict[str, Any] | None
    change_seq: int
    next_ordinal: int
    definition_seq: int
    created_at: int

    @cached_property
    def engine(self) -> Engine:
        """What checks and runs its rules."""
        schema = dumps(self.schema) if self.schema else None
        return _engine(schema, self.currency, self.timezone)


@lru_cache(256)
def _engine(schema: str | None, currency: str, timezone: str) -> Engine:
    fields = (loads(schema) if schema else Schema.default().to_dict())["fields"]
    return Engine(Schema(fields, currency=currency), timezone)


@dataclass(frozen=True, slots=True)
class Key:
    """A secret key, without the secret; `shown` are its first characters."""

    id: str
    organization: str
    name: str
    shown: str
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer; `ordinal` is the number that bitmaps know it by."""

    ordinal: int
    id: str
    email: str | None
    phone: str | None
    full_name: str | None
    external_id: str | None
    total_orders: int | None
    total_order_value: Decimal | None
    last_order_at: int | None
    created_at: int | None
    updated_at: int
    metadata: dict[str, Json] | None


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of one row."""

    id: str
    status: Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Audience:
    """An audience; `rules` are rows with ids, `tier` what makes a loyalty tier of it.

    `expression` is the canonical text, with other audiences by their ids; None without a rule.
    """

    id: str
    name: str
    description: str | None
    type: str
    icon_name: str | None
    metadata: dict[str, Json] | None
    version: int
    revision: int
    group_id: str | None
    group_name: str | None
    group_type: str | None
    sync_source_id: str | None
    refresh_interval: int | None
    archived: bool
    expression: str | None
    rules: list[dict[str, Json]]
    tier: dict[str, Json] | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Group:
    """Audiences that belong together; `attribute` is the field of loyalty tiers."""

    id: str
    name: str
    type: str
    attribute: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of many: whether more are behind and in front, and the position of each, for JSON."""

    items: Sequence[Item]
    after: bool
    before: bool
    positions: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Import:
    """A file that is put into a static audience: mode ADD or REPLACE.

    `status` is AWAITING_UPLOAD, VALIDATING, PROCESSING, COMPLETED, COMPLETED_WITH_ERRORS or FAILED,
    and `reason` says why it failed. `total` rows are known once the file was read, `wrong` of those
    that are processed have something wrong; `ignored` columns are none that consumers have.
    """

    id: str
    audience: str
    mode: str
    status: str
    expires_at: int
    total: int | None
    processed: int
    wrong: int
    reason: str | None
    ignored: list[str]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class RowIssues:
    """What is wrong in a row, by its number from 1 below the header: field, code and message."""

    row: int
    issues: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an organization is told who enters and leaves its audiences, without the secret.

    `audiences` are the ids of those it is told of, None for all; `ended_at` is when its receiver
    said that it is gone. Of its deliveries `waiting` are not through, and `dead` were given up.
    """

    id: str
    organization: str
    url: str
    audiences: list[str] | None
    created_at: int
    ended_at: int | None
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up: `sent` of its `parts` are through, and `reason` says why not
    the next, which was tried `attempts` times, the last time `updated_at`."""

    id: str
    organization: str
    webhook: str
    audience: str
    generation: int
    parts: int
    sent: int
    attempts: int
    reason: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A list kept elsewhere, of which an audience has its members, and how its syncs go.

    `status` is PENDING, IN_PROGRESS, COMPLETED or FAILED, and `error` says why the last try failed.
    `profiles` were read and `processed` of them put in, `left_out` of those without a value that
    could not be kept: of the sync that runs, else of the last one. `data` is the vendor's.
    """

    id: str
    vendor: str
    list_id: str
    audience: str
    name: str | None
    data: dict[str, Json] | None
    status: Literal["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED"]
    error: str | None
    profiles: int
    processed: int
    left_out: int
    last_synced_at: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A list that no audience was made for, as that one has it."""

    list_id: str
    reason: str
    audience: str
