"""From the scene to files."""
