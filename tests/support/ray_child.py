"""One chunk through a cluster, in a process of its own: `python -m tests.support.ray_child STORY ADDRESS MODEL`.

Ray has to be loaded before usearch, and a process that loaded it is not as it was. Prints `[kind, text]` as
JSON: `["Answer", positions kept]`, or the error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from agent.adapters.embedder import EmbedderSettings, load_embedder, read_model
from agent.core.errors import AgentError, ModelError
from agent.publishing.cluster import cluster_workers, load_ray
from agent.publishing.worker import Recipe, Worker, libraries
from tests.support.pictures import coded
from tests.support.tiny_pictures import drawn_picture


class DiesOnce(Recipe):
    """Its first worker kills its own process, as a machine without memory would."""

    def make(self) -> Worker:
        try:
            Path(self.settings.file).with_suffix(".died").touch(exist_ok=False)
        except FileExistsError:
            return super().make()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class DiesAlways(Recipe):
    """No worker of it lives."""

    def make(self) -> Worker:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class IsNoModel(Recipe):
    """A worker that cannot be made."""

    def make(self) -> Worker:
        raise ModelError("tiny.tflite: expected a model, found none")


class LacksALibrary(Recipe):
    """Something that is no error of ours."""

    def make(self) -> Worker:
        raise ModuleNotFoundError("No module named 'cv2'")


def main() -> None:
    """See above."""
    story, address, model = sys.argv[1:]
    load_ray()
    settings = EmbedderSettings(file=model)
    data, spec = read_model(settings)
    kind: type[Recipe] = globals().get(story, Recipe)
    recipe = kind(data, spec, settings, 1.0, (), libraries(load_embedder(settings)))
    if story == "OtherLibraries":
        recipe = replace(recipe, libraries=("ai-edge-litert 0.1", *recipe.libraries[1:]))
    try:
        with cluster_workers(recipe, 1, address) as (submit, _):
            answer = submit("embed", tuple(coded(drawn_picture(number)) for number in range(3)))()
        print(json.dumps(["Answer", str(answer.kept)]))
    except AgentError as error:
        print(json.dumps([type(error).__name__, str(error)]))


if __name__ == "__main__":
    main()
