"""DICOM in and out: studies, series, pixels, segmentation objects."""
