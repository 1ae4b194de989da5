"""One look at a site from here: HEAD, and one GET where that came to nothing."""
