"""What all outgoing connections share, whoever makes them: whom to believe over TLS."""
