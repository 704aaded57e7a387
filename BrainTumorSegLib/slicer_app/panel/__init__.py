"""How the module's panel behaves: one file for each of its sections.

A section knows the widgets of ``BrainTumorSeg.ui`` by name, and of the rest of the panel only
`state.PanelState`, which it observes; `panel.Panel` puts the sections together. Nothing here
computes anything.
"""
