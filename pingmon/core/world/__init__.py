"""All there is: the events of the log, what each does, and the world saved and restored."""
