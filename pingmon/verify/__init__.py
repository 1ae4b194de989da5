"""Verifiers, on both sides: one that looks when asked, and the daemon that asks several."""
