"""One run of the segmentation, from nodes to nodes."""
