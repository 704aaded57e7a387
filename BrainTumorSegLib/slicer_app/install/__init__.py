"""What the module needs beyond Slicer, and how it gets there."""
