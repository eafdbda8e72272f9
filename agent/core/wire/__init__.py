"""Every MQTT topic and payload, and the schema version: the only room that knows them.

    {prefix}/{site}/{device}/availability           retained   `online` or `offline`, bare text
    {prefix}/{site}/{device}/info                   retained   what runs there
    {prefix}/{site}/{device}/health                 retained   ok, degraded or failed, and why
    {prefix}/{site}/{device}/index                  retained   the catalogue in use, and how syncing stands
    {prefix}/{site}/{device}/metrics                passing    numbers, QoS 0
    {prefix}/{site}/{device}/unknown                retained   things that were seen and have no name
    {prefix}/{site}/{device}/lost                   fact       how many facts were given up, and why
    {prefix}/{site}/{device}/command/{name}         to us      what to do, see core/commands.py
    {prefix}/{site}/{device}/command/{name}/result  answer     what came of it, where no other topic is wanted
    {prefix}/{site}/{device}/{camera}/status        retained   online, offline, stalled or paused, and why
    {prefix}/{site}/{device}/{camera}/recognition   fact       new, update or end of a track
    {prefix}/{site}/{device}/{camera}/kiosk         fact       what was asked at a kiosk, and answered
    {prefix}/{site}/{device}/{camera}/event         fact       something that an application saw happen
    {prefix}/{site}/{device}/{camera}/shelf         retained   how much of a bay is as its planogram says
    {prefix}/{site}/{device}/{camera}/shelf/{slot}  retained   what a slot shows
    {prefix}/{site}/{device}/{camera}/inbound/{shipment}  retained  expected against seen, and the result
    {prefix}/{site}/{device}/{camera}/epcis         fact       the same for keepers of events, EPCIS 2.0

`messages.py` makes them, `making.py` those of applications, `late.py` marks those that had to wait,
`cloudevents.py` is their envelope, `definitions.py` is the table of them, `schemas.py` and `orders.py` say
what is in them, and `asyncapi.py` tells all of it to others. What is said once more in the words of others is
in `home_assistant*.py` and `sparkplug*.py`.
"""

from agent.core.wire.cloudevents import Envelope, in_envelope
from agent.core.wire.definitions import DEFINITIONS, Definition, schemas
from agent.core.wire.index import IndexStatus
from agent.core.wire.late import LATE_S, late
from agent.core.wire.messages import Availability, Wire
from agent.core.wire.orders import request_schemas, result_schemas
from agent.core.wire.schemas import CAMERA_STATES, HEALTHS, SCHEMA, SINKS

__all__ = [
    "CAMERA_STATES",
    "DEFINITIONS",
    "HEALTHS",
    "LATE_S",
    "SCHEMA",
    "SINKS",
    "Availability",
    "Definition",
    "Envelope",
    "IndexStatus",
    "Wire",
    "in_envelope",
    "late",
    "request_schemas",
    "result_schemas",
    "schemas",
]
