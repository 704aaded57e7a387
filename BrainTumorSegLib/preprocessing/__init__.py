"""From scans as they come to volumes on the networks' grid."""
