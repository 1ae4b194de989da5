"""A check: its states, its schedules, what a ping means."""
