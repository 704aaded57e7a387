"""Comparing results of several visits: choosing them, computing, and what enters the scene."""
