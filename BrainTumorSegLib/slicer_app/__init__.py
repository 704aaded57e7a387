"""Work on Slicer's scene: the only part of the library, with the panel, that knows Slicer.

`slicer`, `vtk`, `qt` and `ctk` are imported inside functions, and nothing is needed beyond
what Slicer ships, so that these files load before anything was installed. What is heavy
happens in a child process (`worker`).
"""
