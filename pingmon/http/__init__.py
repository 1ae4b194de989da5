"""The listening side: connections and their limits, pings, and everything else that is asked over HTTP."""
