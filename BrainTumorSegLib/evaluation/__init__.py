"""Scoring packs on labelled cases, side by side, with how sure the figures are."""
