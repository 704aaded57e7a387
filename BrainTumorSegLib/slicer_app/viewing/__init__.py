"""What the views show, and the segment editor."""
