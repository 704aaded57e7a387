"""Import paths of 0.1, which keep working for one release.

`BrainTumorSegLib` searches this folder after its own, so that ``BrainTumorSegLib.options`` is
found here.
"""
