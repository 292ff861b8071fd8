"""What is believed, from the database alone: for verbs that reckon with it and need no daemon."""

import os
import sqlite3

import numpy as np

from routerd.catalog import Catalog
from routerd.config import Config
from routerd.engine import Engine
from routerd.store import database


def engine_of(connection: sqlite3.Connection, config: Config, catalog: Catalog, now: float) -> Engine:
    """An engine that has folded every outcome of the database; models are spelt as the configuration in force says."""
    # The matrices are small: threads of the linear algebra library would only take processors from the agents.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    engine = Engine(config, catalog, np.random.default_rng(0))
    for contribution in database.learnt(connection):
        engine.observe(None, contribution, now)
    return engine
