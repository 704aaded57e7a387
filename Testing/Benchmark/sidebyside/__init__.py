"""Starting peers and ourselves one after the other, and comparing what they cost."""
