"""What changed between two and more visits of one patient, and whether it can be told at all.

Volumes are measured on each visit's own grid. Nothing here is called progression: figures stand
beside published thresholds, and people decide.
"""
