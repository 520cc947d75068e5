"""Lists of people that are kept elsewhere, one module a vendor behind one `SyncSource`."""
