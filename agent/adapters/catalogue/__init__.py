"""A catalogue directory: what devices match against.

manifest.json             names the others, see core/manifest.py
index-<digest>.usearch    vectors of the references
products-<digest>.db      rows of the products and their words, pictures of the references
projection-<digest>.bin   where there is one: from embeddings to the vectors of this catalogue
probes-<digest>.json      where there are any: pictures with head office's answers, see core/probes.py
thumbnails-<digest>.db    where there are any: small pictures of the references
words-<digest>.bin        where it helps: from words to the vectors of this catalogue, see core/text_model.py
features-<digest>.db      where products have near rivals: what closer looks compare with
planograms-<digest>.json  where there are any: of the shelves of the devices that take the release
model-<digest>.tflite     where the catalogue carries it: the model that made the vectors …
spec-<digest>.json        … and its description
"""

from agent.adapters.catalogue.files import (
    read_manifest,
    read_model_files,
    read_planograms,
    read_probes,
    read_projection,
    read_text_model,
    write_manifest,
    write_model_files,
    write_planograms,
    write_probes,
    write_projection,
    write_text_model,
)
from agent.adapters.catalogue.opened import Catalogue, open_catalogue, open_files

__all__ = [
    "Catalogue",
    "open_catalogue",
    "open_files",
    "read_manifest",
    "read_model_files",
    "read_planograms",
    "read_probes",
    "read_projection",
    "read_text_model",
    "write_manifest",
    "write_model_files",
    "write_planograms",
    "write_probes",
    "write_projection",
    "write_text_model",
]
