"""The HTTP API of audiences: FastAPI routes over the store."""
