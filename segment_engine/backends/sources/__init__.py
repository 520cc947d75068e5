"""Consumers from wherever they are: files, frames, tables, relations, dicts, for any engine."""
