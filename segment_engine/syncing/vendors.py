"""Which vendors' lists can be read, by the name that a source of an audience begins with."""

from segment_engine.syncing.klaviyo import KlaviyoLists

VENDORS = {"klaviyo": KlaviyoLists}
