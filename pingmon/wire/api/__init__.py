"""The management API as bytes: the fields that clients send, and the objects that they get."""
