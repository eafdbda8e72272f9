"""Topics and payloads: exact bytes, deterministic ids, and every message valid by its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.apps.shelf import ShelfSettings
from agent.apps.shelf.bay import compliance
from agent.apps.shelf.reports import slot_report
from agent.apps.shelf.slot import SlotMemory
from agent.core.inbound.epcis import Keeper
from agent.core.inbound.orders import Line, Order
from agent.core.inbound.report import report
from agent.core.inbound.session import Session
from agent.core.incoming import Incoming
from agent.core.learned import Counts
from agent.core.losses import Cause, Loss
from agent.core.payload import content, encode, encode_rounded, rfc3339, rounded
from agent.core.planogram import PlannedSlot, Planogram
from agent.core.sightings import Thing
from agent.core.slot_state import Shown, SlotState
from agent.core.topics import LEVEL_LIMIT, check_topic_part
from agent.core.types import (
    Clue,
    Delivery,
    Event,
    Message,
    NamedOption,
    Phase,
    Product,
    Recognition,
    Region,
    Track,
    Verdict,
)
from agent.core.wire import LATE_S, IndexStatus, Wire, late, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

WIRE = Wire("spotter", "berlin-12", "shelf-3")
ROOT = "spotter/berlin-12/shelf-3"
UTC = 1_767_225_600.1234  # 2026-01-01T00:00:00.123Z

TRACK = Track(
    id="0000002a-1",
    camera="cam1",
    region=Region((10, 20, 110, 220), name="slot-4"),
    first_at=5.0,
    first_utc=UTC - 2,
    last_at=7.0,
    last_utc=UTC,
    frames=9,
    looks=(),
)
OATS = Product(no=3, sku="OAT-1", gtin="04006381333931", name="Hafer „Extra“ 🌾")
KNOWN = Recognition(
    track=TRACK,
    phase=Phase.NEW,
    revision=0,
    verdict=Verdict.KNOWN,
    product=OATS,
    probability=0.987654321,
    similarity=0.91234567,
    margin=0.1,
    reason="",
    options=(
        NamedOption(
            "OAT-1", "Hafer", 0.91234567, 0.987654321, "images/OAT-1/a.jpg", (Clue("barcode", 1, 4.56789),)
        ),
    ),
    release="2026-01-01",
    at=7.0,
    utc=UTC,
    false_accept=0.000123456789,
    independent=1.33333,
    evidence=(("catalogue", 1.098612), ("pictures", 3.0)),
)
UNKNOWN = replace(
    KNOWN, verdict=Verdict.UNKNOWN, product=None, reason="nothing is similar", similarity=-1.0, options=()
)

SESSION = Session(Order("A-1", (Line(OATS.gtin, "OAT-1", 3),), {}), UTC, UTC)
(KEPT,) = Keeper("urn:x-spotter:berlin-12:shelf-3:cam1", "urn:x-spotter:berlin-12:shelf-3").closed(
    SESSION, UTC
)
SLOT = PlannedSlot(name="a1", sku="OAT-1", box=(0, 0, 50, 50), facings=2)
UNSEEN, SOLD_OUT, MISPLACED = (SlotMemory(replace(SLOT, name=name)) for name in ("a0", "a1", "a2"))
for _memory, _shown in (
    (SOLD_OUT, Shown(SlotState.EMPTY, 0.97, evidence=(("unlike_empty", 0.01),))),
    (MISPLACED, Shown(SlotState.WRONG, 0.9, sku="RICE", name="Rice", brand="Lu", category="grain")),
):
    for _at in range(12):
        _memory.update(_shown, 0, float(_at), UTC + _at, ShelfSettings(plan=Planogram(slots=(SLOT,))))

EVERY_MESSAGE: dict[str, Message] = {
    "birth": WIRE.availability("online"),
    "last will": WIRE.availability("offline"),
    "info": WIRE.info(
        utc=UTC, versions={"spotter": "0.1.0"}, model="m", release="r", capabilities=["b", "a", "b"]
    ),
    "info before anything is installed": WIRE.info(
        utc=UTC, versions={}, model="", release="", capabilities=[]
    ),
    "health that is good": WIRE.health("ok", {}, UTC),
    "health that is not": WIRE.health("degraded", {"disk": "full", "camera": "away"}, UTC),
    "an index that is kept in step": WIRE.index(
        IndexStatus(
            release="0" * 16,
            model="tiny 0123456789ab",
            channel="stores/berlin-12",
            number=17,
            products=9,
            references=40,
            size_bytes=9000,
            last_sync_utc=UTC - 60,
            last_sync_bytes=312,
            next_poll_utc=UTC + 300,
            learned=Counts(references=3, products=2, forgotten=1, taken=4),
            note="release 18 is for 10 % of the devices, not this one",
        ),
        UTC,
    ),
    "an index before the first release": WIRE.index(
        IndexStatus(release="", model="", error="nobody answers"), UTC
    ),
    "a command that was done": WIRE.answer(
        "forget",
        WIRE.command_result("forget", "7", {"sku": "OAT-1", "removed": 0, "in_release": True}, ""),
        Incoming("", b""),
        UTC,
    ),
    "a command that could not be read": WIRE.answer(
        "enrol", WIRE.command_result("enrol", "", {}, "expected JSON"), Incoming("", b""), UTC
    ),
    "numbers": WIRE.metrics({"outbox.waiting": 3, "step.p95_ms": 17.25}, 86_400.5, UTC),
    "nothing without a name": WIRE.unknown([], UTC),
    "things without a name": WIRE.unknown(
        [Thing(7, "m 1", np.ones(2, np.float32), 23, UTC - 9, UTC, {"cam1": 22, "cam2": 1}, ("ab" * 32,))],
        UTC,
    ),
    "camera online": WIRE.camera_status("cam1", "online", "", UTC),
    "camera stalled": WIRE.camera_status("cam1", "stalled", "no picture for 5 s", UTC),
    "facts that were dropped": WIRE.lost(Loss(f"{ROOT}/cam1/recognition", Cause.FULL, 9, UTC - 9, UTC), UTC),
    "an unknown number of facts": WIRE.lost(Loss("", Cause.DAMAGED, 0), UTC),
    "a known product": WIRE.recognition(KNOWN),
    "an unknown thing": WIRE.recognition(UNKNOWN),
    "a product with nothing but its sku": WIRE.recognition(
        replace(KNOWN, product=Product(0, "A"), release="")
    ),
    "a product that a kiosk named": WIRE.event(
        Event(
            "kiosk",
            "till",
            7.0,
            UTC,
            {
                "asked": "item",
                "text": "",
                "answer": "known",
                "track": "0000002a-1",
                "held_s": 0.31249,
                "product": {"sku": "OAT-1", "gtin": "04006381333931", "name": "Hafer"},
                "options": [{"sku": "OAT-1", "name": "Hafer", "probability": 0.987654321}],
            },
        )
    ),
    "what was typed at a kiosk, and nobody wanted": WIRE.event(
        Event(
            "kiosk",
            "till",
            7.0,
            UTC,
            {
                "asked": "text",
                "text": "lentils",
                "answer": "left",
                "track": "",
                "held_s": None,
                "product": None,
                "options": [{"sku": "OAT-1", "name": "", "probability": None}],
            },
        )
    ),
    "a parcel": WIRE.event(
        Event("event", "cam1", 7.0, UTC, {"event": "parcel", "parcel": "2a", "passed_utc": UTC})
    ),
    "a shipment": WIRE.event(Event("inbound", "cam1", 7.0, UTC, report(SESSION))),
    "an event for keepers of events": WIRE.event(
        Event("epcis", "cam1", 7.0, UTC, {"identity": "i", "epcis": KEPT})
    ),
    "the end of a track": WIRE.recognition(replace(KNOWN, phase=Phase.END, revision=7)),
    "a slot that nobody saw": WIRE.event(Event("shelf_slot", "cam1", 0.0, UTC, slot_report(UNSEEN))),
    "a slot out of stock": WIRE.event(Event("shelf_slot", "cam1", 0.0, UTC, slot_report(SOLD_OUT))),
    "a bay": WIRE.event(Event("shelf", "cam1", 0.0, UTC, compliance([UNSEEN, SOLD_OUT, MISPLACED], "A"))),
    "something that happened": WIRE.event(Event("event", "cam1", 0.0, UTC, {"event": "camera_back"})),
}


@pytest.mark.parametrize("message", EVERY_MESSAGE.values(), ids=EVERY_MESSAGE.keys())
def test_every_message_is_valid_by_its_schema_and_says_all_of_it(message: Message) -> None:
    kind = WIRE.kind(message.topic)
    schema = schemas()[kind]
    jsonschema.Draft202012Validator.check_schema(schema)
    said = content(message.payload)
    jsonschema.validate(said, schema, jsonschema.Draft202012Validator)
    if isinstance(said, dict):
        more = set(said) - set(schema["required"])
        assert set(said) >= set(schema["required"])
        assert not more or kind == "event", "what else is said there depends on the event"


def test_every_schema_is_used() -> None:
    assert {WIRE.kind(message.topic) for message in EVERY_MESSAGE.values()} == set(schemas())


TOPICS = {
    "availability": (WIRE.availability("online"), f"{ROOT}/availability", True),
    "info": (EVERY_MESSAGE["info"], f"{ROOT}/info", True),
    "health": (EVERY_MESSAGE["health that is good"], f"{ROOT}/health", True),
    "index": (EVERY_MESSAGE["an index before the first release"], f"{ROOT}/index", True),
    "metrics": (EVERY_MESSAGE["numbers"], f"{ROOT}/metrics", False),
    "unknown": (EVERY_MESSAGE["nothing without a name"], f"{ROOT}/unknown", True),
    "camera status": (EVERY_MESSAGE["camera online"], f"{ROOT}/cam1/status", True),
    "recognition": (EVERY_MESSAGE["a known product"], f"{ROOT}/cam1/recognition", False),
    "event": (EVERY_MESSAGE["something that happened"], f"{ROOT}/cam1/event", False),
    "shelf": (EVERY_MESSAGE["a bay"], f"{ROOT}/cam1/shelf", True),
    "shelf slot": (EVERY_MESSAGE["a slot out of stock"], f"{ROOT}/cam1/shelf/a1", True),
    "shipment": (EVERY_MESSAGE["a shipment"], f"{ROOT}/cam1/inbound/A-1", True),
    "epcis": (EVERY_MESSAGE["an event for keepers of events"], f"{ROOT}/cam1/epcis", False),
}


@pytest.mark.parametrize(("message", "topic", "retained"), TOPICS.values(), ids=TOPICS.keys())
def test_topics_are_as_agreed_and_states_are_retained(message: Message, topic: str, retained: bool) -> None:
    assert message.topic == topic
    assert (message.retain, message.qos) == (retained, 0 if topic.endswith("/metrics") else 1)
    assert message.delivery is (Delivery.STATE if retained else Delivery.FACT)


def test_availability_is_bare_text() -> None:
    assert WIRE.availability("online").payload == b"online"
    assert WIRE.availability("offline").payload == b"offline"


def test_a_recognition_says_what_was_recognised() -> None:
    said = content(WIRE.recognition(KNOWN).payload)
    identity = said.pop("id")
    assert len(identity) == 32
    assert said == {
        "schema": 1,
        "site": "berlin-12",
        "device": "shelf-3",
        "camera": "cam1",
        "track": "0000002a-1",
        "phase": "new",
        "revision": 0,
        "verdict": "known",
        "sku": "OAT-1",
        "gtin": "04006381333931",
        "name": "Hafer „Extra“ 🌾",
        "probability": 0.9877,
        "similarity": 0.9123,
        "margin": 0.1,
        "false_accept": 0.00012346,
        "looks": 9,
        "independent_looks": 1.3333,
        "evidence": [
            {"source": "catalogue", "log_odds": 1.0986},
            {"source": "pictures", "log_odds": 3.0},
        ],
        "reason": "",
        "box": [10, 20, 110, 220],
        "region": "slot-4",
        "options": [
            {
                "sku": "OAT-1",
                "name": "Hafer",
                "similarity": 0.9123,
                "probability": 0.9877,
                "reference": "images/OAT-1/a.jpg",
                "clues": [{"source": "barcode", "log_odds": 4.5679}],
            }
        ],
        "release": "2026-01-01",
        "time": "2026-01-01T00:00:00.123Z",
        "first_seen": "2025-12-31T23:59:58.123Z",
        "seen_s": 2.0,
    }


def test_an_unknown_thing_has_no_product() -> None:
    said = content(WIRE.recognition(UNKNOWN).payload)
    assert (said["sku"], said["gtin"], said["name"], said["options"]) == (None, None, None, [])


def test_the_bytes_are_sorted_compact_utf8() -> None:
    payload = WIRE.recognition(KNOWN).payload
    assert json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == (
        payload.decode()
    )
    assert "🌾".encode() in payload


SAME_ID: dict[str, Callable[[Recognition], Recognition]] = {
    "the clock of the replaying machine": lambda r: replace(r, utc=r.utc + 1e6, at=r.at + 5),
    "another release": lambda r: replace(r, release="2027-01-01"),
    "another answer": lambda r: replace(r, probability=0.5),
}
OTHER_ID: dict[str, Callable[[Recognition], Recognition]] = {
    "the next revision": lambda r: replace(r, revision=1),
    "another track": lambda r: replace(r, track=replace(r.track, id="0000002a-2")),
    "another camera": lambda r: replace(r, track=replace(r.track, camera="cam2")),
}


@pytest.mark.parametrize("change", SAME_ID.values(), ids=SAME_ID.keys())
def test_the_id_does_not_depend_on(change: Callable[[Recognition], Recognition]) -> None:
    assert WIRE.recognition(change(KNOWN)).id == WIRE.recognition(KNOWN).id


@pytest.mark.parametrize("change", OTHER_ID.values(), ids=OTHER_ID.keys())
def test_the_id_depends_on(change: Callable[[Recognition], Recognition]) -> None:
    assert WIRE.recognition(change(KNOWN)).id != WIRE.recognition(KNOWN).id


def test_the_id_depends_on_the_device_and_on_nothing_that_can_be_confused_with_it() -> None:
    ids = {Wire("spotter", site, device).recognition(KNOWN).id for site, device in (("a", "bc"), ("ab", "c"))}
    assert len(ids) == 2


def test_noise_in_the_last_bits_gives_the_same_bytes() -> None:
    noisy = replace(KNOWN, probability=0.987654321 + 1e-12, margin=0.1 - 1e-12)
    assert WIRE.recognition(noisy) == WIRE.recognition(KNOWN)
    assert b'"margin":0.0' in WIRE.recognition(replace(KNOWN, margin=-1e-9)).payload


def test_a_file_name_that_is_not_text_does_not_stop_the_message() -> None:
    odd = b"images/\xff.jpg".decode("utf-8", "surrogateescape")
    option = replace(KNOWN.options[0], reference=odd)
    said = content(WIRE.recognition(replace(KNOWN, options=(option,))).payload)
    assert said["options"][0]["reference"] == "images/?.jpg"
    assert WIRE.camera_status("cam1", "offline", odd, UTC).id


BAD_PARTS = {
    "empty": "",
    "a slash": "a/b",
    "a plus": "a+",
    "a hash": "#",
    "NUL": "a\0",
    "a line break": "a\n",
    "a control character of Latin 1": "a\x85",
    "half a surrogate pair": "a\ud800",
    "too long": "a" * (LEVEL_LIMIT + 1),
}


@pytest.mark.parametrize("part", BAD_PARTS.values(), ids=BAD_PARTS.keys())
@pytest.mark.parametrize("field", ["prefix", "site", "device"])
def test_a_part_that_cannot_be_a_topic_level_is_refused(field: str, part: str) -> None:
    parts = {"prefix": "p", "site": "s", "device": "d", field: part}
    with pytest.raises(ValueError, match=f"^{field}: expected 1 to 64 characters"):
        Wire(**parts)


@pytest.mark.parametrize(
    "camera", [*BAD_PARTS.values(), "command"], ids=[*BAD_PARTS.keys(), "a reserved name"]
)
def test_a_camera_that_cannot_be_a_topic_level_is_refused(camera: str) -> None:
    with pytest.raises(ValueError, match=r"^camera: expected"):
        WIRE.camera_status(camera, "online", "", UTC)
    with pytest.raises(ValueError, match=r"^camera: expected"):
        WIRE.recognition(replace(KNOWN, track=replace(TRACK, camera=camera)))


def test_a_prefix_of_the_broker_itself_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^prefix: expected no '\$'"):
        Wire("$SYS", "s", "d")


@given(st.text(max_size=LEVEL_LIMIT))
def test_what_is_accepted_is_one_topic_level_of_utf8(part: str) -> None:
    try:
        check_topic_part("site", part)
    except ValueError:
        return
    assert 0 < len(part.encode()) <= 4 * LEVEL_LIMIT
    assert not set(part) & set("+#/\0")


BAD_CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "health that is ok for a reason": (lambda: WIRE.health("ok", {"a": "b"}, UTC), "health"),
    "health that is bad for no reason": (lambda: WIRE.health("failed", {}, UTC), "health"),
    "health nobody knows": (lambda: WIRE.health("fine", {}, UTC), "health"),
    "a camera state nobody knows": (lambda: WIRE.camera_status("c", "away", "", UTC), "camera status"),
    "a time before 1970": (lambda: WIRE.camera_status("c", "online", "", -1.0), "time"),
    "no time": (lambda: WIRE.camera_status("c", "online", "", float("nan")), "time"),
    "an event of no kind": (lambda: WIRE.event(Event("dance", "c", 0, UTC, {})), "event"),
    "an event without a name": (lambda: WIRE.event(Event("event", "c", 0, UTC, {})), "event"),
    "a recognition that is none": (lambda: WIRE.event(Event("recognition", "c", 0, UTC, {})), "event"),
}


@pytest.mark.parametrize(("call", "field"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_what_has_no_place_on_the_wire_is_refused(call: Callable[[], Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected .*found"):
        call()


def test_an_event_of_a_recognition_is_its_message() -> None:
    assert WIRE.event(Event("recognition", "cam1", 7.0, UTC, KNOWN)) == WIRE.recognition(KNOWN)


FOREIGN_TOPICS = {
    *("", "spotter", ROOT, f"{ROOT}/", f"{ROOT}/x", f"{ROOT}/a/b", f"{ROOT}/a/status/c", "x/info"),
    *(f"{ROOT}/command", f"{ROOT}/command/forget", f"{ROOT}/command/result", f"{ROOT}/command/status"),
    *(f"{ROOT}/command/a/b/c/result", f"{ROOT}/command/a/b"),
}


@pytest.mark.parametrize("topic", sorted(FOREIGN_TOPICS))
def test_topics_that_are_not_ours_have_no_kind(topic: str) -> None:
    assert WIRE.kind(topic) == ""


@pytest.mark.parametrize("name", ["forget", "shipment/open"])
def test_the_answer_to_a_command_has_a_topic_also_where_commands_are_grouped(name: str) -> None:
    payload = WIRE.command_result(name, "1", {}, "not now")
    topic = WIRE.answer(name, payload, Incoming("", b""), UTC).topic
    assert topic == f"{ROOT}/command/{name}/result"
    assert WIRE.kind(topic) == "command_result"


TIMES = {0.0: "1970-01-01T00:00:00.000Z", 0.9996: "1970-01-01T00:00:01.000Z", UTC: "2026-01-01T00:00:00.123Z"}


@pytest.mark.parametrize(("utc", "text"), TIMES.items())
def test_times_are_rfc3339_with_milliseconds(utc: float, text: str) -> None:
    assert rfc3339(utc) == text


def by_the_standard_library(payload: Any) -> bytes:
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


TEXTS = st.text(st.characters(exclude_categories=()))
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2, 2) | st.sampled_from(
    (1e-4, 9.9e-5, 1e-5, -1e-5, 1e-8, 1e16, -1e16, 9999999999999998.0, 1e22, 1e308, 5e-324, -0.0)
)  # fmt: skip


@given(
    st.recursive(
        TEXTS | FINITE | st.integers() | st.booleans() | st.none(),
        lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXTS, inside, max_size=4),
    ),
    st.integers(0, 20),
)
def test_the_quick_way_to_write_json_gives_the_bytes_of_the_standard_library(said: Any, digits: int) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, digits) + 0.0
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    def quick(value: Any) -> Any:
        if isinstance(value, float):
            return rounded(value, digits)
        if isinstance(value, dict):
            return {key: quick(each) for key, each in value.items()}
        return [quick(each) for each in value] if isinstance(value, list) else value

    assert encode_rounded(quick(said)) == encode(plain(said)) == by_the_standard_library(plain(said))


@given(*[FINITE] * 6, TEXTS)
def test_a_recognition_is_written_as_the_standard_library_writes_it(
    a: float, b: float, c: float, d: float, e: float, f: float, text: str
) -> None:
    options = (NamedOption(text, text, np.float32(a) if abs(a) < 1e30 else a, b, text, (Clue("x", 1, c),)),)
    said = replace(
        KNOWN, similarity=a, probability=b, margin=c, false_accept=d, independent=np.float64(e), reason=text,
        evidence=((text, f),), options=options, at=abs(a),
    )  # fmt: skip
    payload = WIRE.recognition(said).payload
    assert payload == by_the_standard_library(json.loads(payload)) == encode(json.loads(payload))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("-inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        rounded(bad, 4)
    with pytest.raises(ValueError, match="expected a finite number"):
        WIRE.recognition(replace(KNOWN, margin=bad))
    with pytest.raises(TypeError, match="expected JSON"):
        encode_rounded({"a": np.array([1])})


def test_encode_and_content_are_inverse() -> None:
    said = {"b": [1, None, "ä"], "a": {"c": 0.5}}
    assert content(encode(said)) == said
    assert encode(said) == '{"a":{"c":0.5},"b":[1,null,"ä"]}'.encode()


# ── late ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_that_had_to_wait_has_both_times_and_is_valid() -> None:
    fact = WIRE.recognition(KNOWN)
    sent = late(fact, UTC + 3600.5)
    body = content(sent.payload)
    assert body == {**content(fact.payload), "late": True, "sent": "2026-01-01T01:00:00.623Z"}
    assert (sent.late, sent.id, sent.topic, sent.utc) == (True, fact.id, fact.topic, fact.utc)
    jsonschema.validate(body, schemas()["recognition"])


NOT_LATE = {
    "at once": (WIRE.recognition(KNOWN), UTC),
    "soon": (WIRE.recognition(KNOWN), UTC + LATE_S),
    "by a clock that was set back": (WIRE.recognition(KNOWN), UTC - 86_400),
    "bare text": (WIRE.availability("online"), UTC),
}


@pytest.mark.parametrize(("message", "utc"), NOT_LATE.values(), ids=NOT_LATE.keys())
def test_what_is_not_late_or_no_object_is_sent_as_it_is(message: Message, utc: float) -> None:
    assert late(message, utc) is message


def test_the_camera_of_a_topic() -> None:
    cases = {
        f"{ROOT}/cam1/status": "cam1",
        f"{ROOT}/cam1/shelf/a1": "cam1",
        f"{ROOT}/health": "",
        f"{ROOT}/command/forget/result": "",
        "spotter/berlin-12/other/cam1/status": "",
        ROOT: "",
    }
    assert {topic: WIRE.camera_of(topic) for topic in cases} == cases
