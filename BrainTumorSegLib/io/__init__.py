"""Files in and out: scans, label maps, segmentations, DICOM."""
