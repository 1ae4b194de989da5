"""Partners, who host sites: which one, and what it is asked and answers."""
