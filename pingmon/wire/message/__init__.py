"""Messages to people and programs: what they say, and the webhook requests that carry them."""
