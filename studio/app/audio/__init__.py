"""The sound card, and a wave that plays on keys."""
