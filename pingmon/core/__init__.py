"""The pure part: events, the state they fold into, and every rule. No I/O, no clock, no randomness, no Twisted."""
