"""How the module's panel behaves: one file for each of its sections.

`panel.Panel` puts the sections together. They know the widgets of ``BrainTumorSeg.ui``
by name and the scene through `mrml`; nothing here computes anything.
"""
