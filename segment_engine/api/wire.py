"""The JSON of requests: nothing else knows these shapes, and nothing is coerced."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from segment_engine.errors import Invalid, Problem
from segment_engine.language.rows import MAX_GROUP_ID, operators

MOST_MEMBERS = 10_000
MOST_CONSUMERS = 10_000
MOST_TIERS = 100
MOST_LISTS = 100
MOST_NAME = 200

_INT64 = 2**63


class Wire(BaseModel):
    """A JSON object: camelCase, with the keys below and no others."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _is_object(cls, given: Any) -> Any:
        """FastAPI reads attributes of anything else: a Decimal would be an object of defaults."""
        if not isinstance(given, dict | cls):
            raise ValueError("it is an object")
        return given

    def given(self) -> dict[str, Any]:
        """The keys that were sent, by their names in JSON."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def stored(self) -> dict[str, Any]:
        """The keys that were sent, by their names in the store."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _whole(value: Any) -> Any:
    """5.0 is the integer 5 in JSON; a far exponent is not worth the digits."""
    if isinstance(value, Decimal) and value.adjusted() < 20 and value == value.to_integral_value():
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("it is a number")
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | Decimal | str):
        raise ValueError("it is a string, a number or a boolean")
    return value


def _decimal(value: Any) -> Any:
    return value if isinstance(value, str) else _number(value)


Text = StrictStr
Name = Annotated[StrictStr, Field(min_length=1, max_length=MOST_NAME)]
Description = Annotated[StrictStr, Field(max_length=5_000)]
IconName = Annotated[StrictStr, Field(max_length=MOST_NAME)]
Id = Annotated[StrictStr, Field(min_length=1, max_length=64)]
Whole = Annotated[StrictInt, BeforeValidator(_whole), Field(ge=-_INT64, lt=_INT64)]
Interval = Annotated[Whole, Field(ge=60, le=366 * 24 * 60 * 60)]
Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]
Amount = Annotated[Any, AfterValidator(_decimal), WithJsonSchema({"type": ["number", "string"]})]
Scalar = Annotated[
    Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Metadata = dict[str, Any]
AudienceType = Literal["STATIC", "DYNAMIC", "SYNCED_LIST"]
AnyType = Literal["STATIC", "DYNAMIC", "SYNCED_LIST", "STATIC_LIST"]
Operator = Annotated[StrictStr, Field(json_schema_extra={"enum": sorted(operators())})]


class RuleIn(Wire):
    """One rule row. Rows without a groupId are and-ed; those that share one are or-ed first."""

    field: Text
    operator: Operator
    values: list[Scalar] = []
    group_id: Annotated[StrictStr, Field(min_length=1, max_length=MAX_GROUP_ID)] | None = None
    position: Whole | None = None
    id: Id | None = None


class RulesIn(Wire):
    """Rule rows."""

    rules: list[RuleIn]


def _one_or_many(body: Any) -> str:
    many = isinstance(body, RulesIn) or (isinstance(body, dict) and "rules" in body)
    return "(rows)" if many else "(row)"


OneOrMoreRules = Annotated[
    Annotated[RuleIn, Tag("(row)")] | Annotated[RulesIn, Tag("(rows)")],
    Discriminator(_one_or_many),
]


def rows_of(rules: RuleIn | RulesIn) -> list[dict[str, Any]]:
    """The rows as the language reads them."""
    many = rules.rules if isinstance(rules, RulesIn) else [rules]
    return [row.given() for row in many]


def kept_type(given: str | None) -> str | None:
    """The type of an audience as it is kept: STATIC_LIST is STATIC."""
    return "STATIC" if given == "STATIC_LIST" else given


class _Ruled(Wire):
    """At most one of rules and expression."""

    rules: list[RuleIn] | None = None
    expression: Text | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> "_Ruled":
        if self.rules is not None and self.expression is not None:
            raise ValueError("give rules or an expression, not both")
        return self

    def stored(self) -> dict[str, Any]:
        """See Wire."""
        given = super().stored()
        if self.rules is not None:
            given["rules"] = [row.given() for row in self.rules]
        if "refresh_interval_seconds" in given:
            given["refresh_interval"] = given.pop("refresh_interval_seconds")
        if "type" in given:
            given["type"] = kept_type(given["type"])
        return given


class AudienceIn(_Ruled):
    """A new audience."""

    name: Name
    type: AnyType
    description: Description | None = None
    icon_name: IconName | None = None
    metadata: Metadata | None = None
    refresh_interval_seconds: Interval | None = None


class AudienceChanges(_Ruled):
    """What changes of an audience: an absent key leaves, null clears."""

    name: Name | None = None
    type: AnyType | None = None
    description: Description | None = None
    icon_name: IconName | None = None
    metadata: Metadata | None = None
    refresh_interval_seconds: Interval | None = None
    archived: StrictBool | None = None


class PreviewIn(_Ruled):
    """A rule to try."""

    first: Annotated[Whole, Field(ge=0, le=100)] = 10

    def rule(self) -> str | list[dict[str, Any]]:
        """The rule as the language reads it. Raises Invalid where there is none."""
        if self.expression is not None:
            return self.expression
        if self.rules is None:
            raise Invalid("Invalid request", [Problem("rules", "give rules or an expression")])
        return [row.given() for row in self.rules]


class ImportIn(Wire):
    """An import to come: whether its consumers are put in, or become the members."""

    mode: Literal["ADD", "REPLACE"] = "ADD"


class KlaviyoListIn(Wire):
    """A list of Klaviyo, and what its audience is called; as the list is, where that is absent."""

    list_id: Annotated[StrictStr, Field(pattern="^[A-Za-z0-9_-]{1,64}$", examples=["Xy12Ab"])]
    name: Name | None = None


class KlaviyoIn(Wire):
    """Lists of Klaviyo that audiences are to have their members of."""

    lists: Annotated[list[KlaviyoListIn], Field(min_length=1, max_length=MOST_LISTS)]
    refresh_interval_seconds: Interval | None = None

    def stored(self) -> dict[str, Any]:
        """See Wire."""
        lists = [(one.list_id, one.name) for one in self.lists]
        return {"lists": lists, "refresh_interval": self.refresh_interval_seconds}


class MembersIn(Wire):
    """Consumers to put into a static audience, or to take out."""

    consumer_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_MEMBERS)]


class TierIn(Wire):
    """A loyalty tier: values from startValue up to, and without, endValue."""

    name: Name
    order: Whole
    start_value: Number
    end_value: Number | None = None
    icon_name: IconName | None = None


class KnownTierIn(TierIn):
    """A tier of a group that there is; without an audienceId it is known by its name."""

    audience_id: Id | None = None


class TiersIn(Wire):
    """A new group of tiers."""

    group_name: Name
    attribute: Text = "totalOrderValue"
    tiers: Annotated[list[TierIn], Field(min_length=1, max_length=MOST_TIERS)]

    def stored(self) -> dict[str, Any]:
        """See Wire."""
        tiers = [tier.given() for tier in self.tiers]
        return {"name": self.group_name, "attribute": self.attribute, "tiers": tiers}


class TiersChanges(Wire):
    """All tiers that a group has from now on; others are archived."""

    group_name: Name | None = None
    attribute: Text | None = None
    tiers: Annotated[list[KnownTierIn], Field(min_length=1, max_length=MOST_TIERS)]

    def stored(self) -> dict[str, Any]:
        """See Wire."""
        tiers = [tier.given() for tier in self.tiers]
        return {"name": self.group_name, "attribute": self.attribute, "tiers": tiers}


class ConsumerIn(Wire):
    """A consumer as far as it is known: an absent key leaves, null clears."""

    id: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    full_name: Text | None = None
    external_id: Text | None = None
    total_orders: Whole | None = None
    total_order_value: Amount | None = None
    last_order_at: Text | None = None
    created_at: Text | None = None
    metadata: Metadata | None = None


class ConsumersIn(Wire):
    """Consumers to insert, or to update where an id, externalId, email or phone is known."""

    consumers: Annotated[list[ConsumerIn], Field(min_length=1, max_length=MOST_CONSUMERS)]
