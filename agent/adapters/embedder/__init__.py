"""The eyes: regions of a picture in, unit embeddings out, by a TFLite model that fits its spec."""

from agent.adapters.embedder.draft import draft_spec, refuse_crashing
from agent.adapters.embedder.eyes import Embedder, load_embedder, read_model, read_spec
from agent.adapters.embedder.runtime import library_module, library_name
from agent.adapters.embedder.settings import DelegateSettings, EmbedderSettings

__all__ = [
    "DelegateSettings",
    "Embedder",
    "EmbedderSettings",
    "draft_spec",
    "library_module",
    "library_name",
    "load_embedder",
    "read_model",
    "read_spec",
    "refuse_crashing",
]
