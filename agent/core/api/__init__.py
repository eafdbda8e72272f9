"""What can be asked over HTTP: `operations.py` is the table, `reading.py` reads what is asked strictly, and
`openapi.py` tells all of it to others.
"""

from agent.core.api.operation import Operation
from agent.core.api.operations import COMMAND_PATH, OPERATIONS
from agent.core.api.reading import read_query

__all__ = ["COMMAND_PATH", "OPERATIONS", "Operation", "read_query"]
