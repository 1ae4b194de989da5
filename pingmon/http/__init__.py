"""What is asked over HTTP: pings, the management API and the page at `/`."""
