"""Time: clocks, the guarded loop, deadlines, bounds on waiting and on how often."""
