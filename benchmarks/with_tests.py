"""Importing this lets a benchmark use what tests are made of: Python looks for modules beside the script only."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
