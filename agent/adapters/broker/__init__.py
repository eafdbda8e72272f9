"""The MQTT broker."""

from agent.adapters.broker.connection import Broker
from agent.adapters.broker.settings import BrokerSettings

__all__ = ["Broker", "BrokerSettings"]
