"""One schema with a field of every type, and with names that are hard to tell from texts."""

from segment_engine.expression.schema import Schema

SCHEMA = Schema(
    {
        "email": "text",
        "phone": "text",
        "totalOrders": "number",
        "totalOrderValue": "currency",
        "lastOrderAt": "datetime",
        "createdAt": "datetime",
        "birthday": "date",
        "subscribed": "boolean",
        "tags": "list of text",
        "scores": "list of number",
        "visits": "list of datetime",
        "order total": "number",
        "between": "number",
        "2026-01": "number",
        "metadata": "any",
        "metadata.points": "number",
        "averageOrderValue": {"type": "currency", "derived": "totalOrderValue / totalOrders"},
    }
)
