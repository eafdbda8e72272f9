"""A public classifier cut behind its pooling, so that its output is the embedding."""

from __future__ import annotations

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

_POOLINGS = {schema.BuiltinOperator.AVERAGE_POOL_2D, schema.BuiltinOperator.MEAN}


def without_classifier(model: bytes) -> bytes:
    """The `.tflite` up to and with its last pooling.

    Raises:
        ValueError: it has none.
    """
    whole = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = whole.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in whole.operatorCodes]
    poolings = [
        place for place, operator in enumerate(graph.operators) if codes[operator.opcodeIndex] in _POOLINGS
    ]
    if not poolings:
        raise ValueError("expected a model with a pooling, found none")
    graph.operators = graph.operators[: poolings[-1] + 1]
    graph.outputs = graph.operators[-1].outputs
    whole.signatureDefs = []
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
