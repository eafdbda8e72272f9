"""The MQTT broker."""

from agent.adapters.broker.connection import Broker
from agent.adapters.broker.settings import BrokerSettings, parse_url

__all__ = ["Broker", "BrokerSettings", "parse_url"]
