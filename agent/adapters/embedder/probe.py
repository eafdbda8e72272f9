"""A process that opens the model on its standard input, runs it once, and says what it is, as JSON."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from agent.adapters.embedder.runtime import open_interpreter, tensor_facts
from agent.core.errors import AgentError, quoted


def main() -> None:
    """Write `{"inputs": […], "outputs": […]}`, or `{"error": …}` when it is refused.

    The one argument is the name of the model's file, for errors.
    """
    os.nice(10)  # recognising goes first
    try:
        interpreter = open_interpreter(sys.stdin.buffer.read(), sys.argv[1], threads=1, delegate=None)
        interpreter.invoke()
        inputs, outputs = tensor_facts(interpreter)
        answer: dict[str, object] = {
            "inputs": [asdict(fact) for fact in inputs],
            "outputs": [asdict(fact) for fact in outputs],
        }
    except AgentError as error:
        answer = {"error": str(error)}
    except (RuntimeError, ValueError) as error:
        answer = {"error": f"{sys.argv[1]}: {quoted(str(error))}"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
