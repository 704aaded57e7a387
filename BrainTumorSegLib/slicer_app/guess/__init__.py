"""Which scans of the scene belong together and what they are."""
