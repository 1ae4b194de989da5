"""A site: what a probe saw, what a round of them says, its states, and who is told first."""
