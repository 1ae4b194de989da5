"""The daemon around it all: configuration, data directory, ports, start and stop."""
