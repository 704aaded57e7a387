"""What Slicer itself offers: its application, Python, translation and processes."""
