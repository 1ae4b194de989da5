"""Bytes and dicts on one side, core values on the other: the formats that clients see. Pure, like `core`."""
