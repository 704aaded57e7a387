"""Reviews by experts, and how far they agree."""
