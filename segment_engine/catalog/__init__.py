"""Audiences kept in files: read, checked, run and rewritten."""
