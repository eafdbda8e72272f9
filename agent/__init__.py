"""Spotter: an edge agent that recognises products."""

__version__ = "0.1.0"
