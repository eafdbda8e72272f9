"""Numbers of the GS1 system, and what barcodes say with them.

`keys.py`: GTIN, SSCC and GLN with their check digits. `elements.py`: element strings, `(01)…(10)…`.
`link.py`: the same as a web address. `said.py`: what one barcode says, whatever its symbology.
"""

from agent.core.gs1.elements import Elements, parse_element_string
from agent.core.gs1.keys import GTIN_LENGTHS, check_digit, checked, gln, gtin14, same_item, sscc
from agent.core.gs1.link import digital_link, parse_digital_link
from agent.core.gs1.said import Said, said_by

__all__ = [
    "GTIN_LENGTHS",
    "Elements",
    "Said",
    "check_digit",
    "checked",
    "digital_link",
    "gln",
    "gtin14",
    "parse_digital_link",
    "parse_element_string",
    "said_by",
    "same_item",
    "sscc",
]
