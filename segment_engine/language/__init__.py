"""Doors into the expression: text and query-builder JSON; and back out as canonical text."""
