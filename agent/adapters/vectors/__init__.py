"""The index of reference vectors: the only room that knows usearch, its int8 codes and its distances."""

from agent.adapters.vectors.builder import IndexBuilder, reopen_index
from agent.adapters.vectors.codes import codes_of
from agent.adapters.vectors.index import EXACT_LIMIT, VectorIndex, open_index

__all__ = ["EXACT_LIMIT", "IndexBuilder", "VectorIndex", "codes_of", "open_index", "reopen_index"]
