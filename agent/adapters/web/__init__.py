"""The web server of the device: pages, the API, and what happens as it happens. One of its own threads.

The rest of the daemon is asked through `device.Device` alone. What stands in the way of strangers:

    `protocol.py`  connections are bounded, and one that does not get on is ended
    `doorman.py`   who asks, whether a page of ours did, and what a browser may do with the answer
    `routes.py`    what leads where
    `asking.py`    a question is read by the table of `core/api`, within its rate, and answered in a worker

`settings.py` and `device.py` are all that others import; starlette and uvicorn are loaded where a
configuration has `web`.
"""

from agent.adapters.web.device import Asker, ConflictError, Device, MissingError, Note, Picture
from agent.adapters.web.passwords import hash_password
from agent.adapters.web.settings import WebSettings

__all__ = [
    "Asker",
    "ConflictError",
    "Device",
    "MissingError",
    "Note",
    "Picture",
    "WebSettings",
    "hash_password",
]
