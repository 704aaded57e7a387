"""Comparing ways of training and of segmenting, each at the same budget."""
