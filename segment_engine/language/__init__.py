"""Doors into the expression: text, query-builder JSON, rule rows; and back out of it."""
