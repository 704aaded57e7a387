"""Nodes of the scene: what they hold and where they lie."""
