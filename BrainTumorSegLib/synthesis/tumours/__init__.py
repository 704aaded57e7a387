"""Synthetic tumours of four types for training, on label maps of heads and on real scans."""
