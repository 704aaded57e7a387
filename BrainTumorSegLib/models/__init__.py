"""Networks by name, their weights, and the packs that hold them."""
