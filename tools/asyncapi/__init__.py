"""Asks AsyncAPI's own parser what it thinks of the document that `spotter asyncapi` prints."""
