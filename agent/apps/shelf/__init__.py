"""A shelf: its slots against their planogram, and the bay as a whole.

app.py       frames and recognitions in, states and events out
cell.py      what one facing shows in a frame
slot.py      a slot over time: dwell, blocked, out of stock
bay.py       compliance of the bay
reports.py   what is told of all that, as plain data
settings.py  what the operator says
"""

from agent.apps.shelf.app import Shelf
from agent.apps.shelf.settings import RELEASED, ShelfSettings

__all__ = ["RELEASED", "Shelf", "ShelfSettings"]
