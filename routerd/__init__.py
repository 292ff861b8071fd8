"""routerd learns which dispatch of a task works, from the logs that coding agents already write."""

__version__ = "0.1.0"
