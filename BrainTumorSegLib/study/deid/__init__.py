"""De-identification: the key of a study, DICOM rewritten, and the search for what was left."""
