"""The benchmarks are scripts that import one another by plain names."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
