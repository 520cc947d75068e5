"""The routes, one file a resource; each is a few lines over the store."""

from segment_engine.api.routes.audiences import audiences
from segment_engine.api.routes.consumers import consumers
from segment_engine.api.routes.freshness import freshness
from segment_engine.api.routes.groups import groups
from segment_engine.api.routes.health import health
from segment_engine.api.routes.imports import imports, uploads
from segment_engine.api.routes.members import members
from segment_engine.api.routes.preview import previews
from segment_engine.api.routes.rules import rules
from segment_engine.api.routes.syncs import lists, syncs
from segment_engine.api.routes.tiers import tiers

ROUTERS = (
    *(health, consumers, previews, groups, tiers, uploads, lists),
    *(audiences, rules, members, imports, syncs, freshness),
)
"""A path that names something stands before the ones that take any id."""
