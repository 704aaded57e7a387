"""The workshop for synthetic scans: anatomy, lesions, contrast and acquisition."""
