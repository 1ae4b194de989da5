"""`pingmon import …`: what another monitor watches is watched here. It reads there, and changes nothing there."""
