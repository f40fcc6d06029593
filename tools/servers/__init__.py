"""Real Redis, Kafka and MariaDB in a folder of their own, for `make stack` and for tests. Standard library only."""

from .kafka import KafkaBroker, KafkaCluster
from .mariadb import MariaDbServer
from .process import ServerError
from .redis import RedisServer

__all__ = ["KafkaBroker", "KafkaCluster", "MariaDbServer", "RedisServer", "ServerError"]
