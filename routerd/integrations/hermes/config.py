"""What is asked of Hermes itself: its settings for delegation, and its home."""

from __future__ import annotations

import importlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def section() -> dict[str, Any]:
    """`delegation:` of Hermes' configuration as it stands now; empty where there is none."""
    found = importlib.import_module("hermes_cli.config").load_config_readonly().get("delegation")
    return found if isinstance(found, dict) else {}


def scope() -> str:
    """The profile that Hermes runs as, by its home, as the log reader names it."""
    home = os.path.normpath(importlib.import_module("hermes_constants").get_hermes_home())
    above, name = os.path.split(home)
    return name if os.path.basename(above) == "profiles" else "default"
