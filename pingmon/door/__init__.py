"""The door: serves an HTTP application on every endpoint, within limits that hold for everybody.

It knows nothing of what is served: resources answer ordinary requests, and an `intake` takes those that must be fast.
"""
