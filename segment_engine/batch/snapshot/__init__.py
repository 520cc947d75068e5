"""Consumers prepared for many runs: what predicates ask about, as codes in bits, tile by tile."""
