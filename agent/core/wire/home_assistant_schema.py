"""What Home Assistant takes as the announcement of a device, as JSON Schema 2020-12.

Written after its documentation of device discovery, in the abbreviations that we use. Stricter than Home
Assistant, which passes over what it does not know: a key that is misspelt would go unnoticed.
"""

from __future__ import annotations

from typing import Any, Final

from agent.core.wire.schemas import DIALECT

_NAME: Final = {"type": "string", "minLength": 1}
_TOPIC: Final = {"type": "string", "minLength": 1, "maxLength": 65_535, "pattern": "^[^#\\x00]+$"}
_TEMPLATE: Final = {"type": "string", "pattern": r"\{\{.*\}\}"}
_ICON: Final = {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"}

_ENTITY: Final = {
    "name": _NAME,
    "uniq_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "stat_t": _TOPIC,
    "val_tpl": _TEMPLATE,
    "json_attr_t": _TOPIC,
    "json_attr_tpl": _TEMPLATE,
    "ent_cat": {"const": "diagnostic"},
    "ic": _ICON,
}
_PLATFORMS: Final[dict[str, dict[str, Any]]] = {
    "sensor": {
        "dev_cla": {"enum": ["timestamp", "data_size", "temperature", "duration"]},
        "stat_cla": {"enum": ["measurement", "total_increasing"]},
        "unit_of_meas": _NAME,
        "exp_aft": {"type": "integer", "minimum": 1, "description": "seconds"},
    },
    "binary_sensor": {
        "dev_cla": {"enum": ["problem", "connectivity"]},
        "exp_aft": {"type": "integer", "minimum": 1},
    },
    "event": {"evt_typ": {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}},
}


def home_assistant() -> dict[str, Any]:
    """The announcement of a device."""
    return {
        "$schema": DIALECT,
        "title": "Home Assistant device discovery",
        "description": "This device as Home Assistant shows it, from 2024.11 on. Retained.",
        "type": "object",
        "required": ["cmps", "dev", "o"],
        "additionalProperties": False,
        "properties": {
            "dev": {
                "type": "object",
                "required": ["ids", "name"],
                "additionalProperties": False,
                "properties": {
                    "ids": {"type": "array", "items": _NAME, "minItems": 1},
                    **dict.fromkeys(("name", "mf", "mdl", "sn", "sw", "sa"), _NAME),
                },
            },
            "o": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": _NAME, "sw": _NAME},
            },
            "avty_t": _TOPIC,
            "qos": {"enum": [0, 1, 2]},
            "cmps": {
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
                "additionalProperties": {"oneOf": [_forgotten(), *map(_entity, _PLATFORMS)]},
            },
        },
    }


def _forgotten() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A component that is no longer there: its platform alone.",
        "properties": {"p": {"enum": sorted(_PLATFORMS)}},
        "required": ["p"],
        "additionalProperties": False,
    }


def _entity(platform: str) -> dict[str, Any]:
    needed = ["name", "p", "stat_t", "uniq_id", "val_tpl", *(["evt_typ"] if platform == "event" else [])]
    return {
        "type": "object",
        "properties": {"p": {"const": platform}, **_ENTITY, **_PLATFORMS[platform]},
        "required": sorted(needed),
        "additionalProperties": False,
        "dependentRequired": {"json_attr_tpl": ["json_attr_t"]},
    }
