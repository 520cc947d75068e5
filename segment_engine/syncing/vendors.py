"""Which vendors' lists can be read, by the name that a source of an audience begins with."""

from collections.abc import Callable, Mapping

from segment_engine.syncing.klaviyo import KlaviyoLists
from segment_engine.syncing.source import SyncSource

VENDORS: Mapping[str, Callable[..., SyncSource]] = {"klaviyo": KlaviyoLists}
"""Each is called with a key and, where it is not the usual one, a `url`."""
