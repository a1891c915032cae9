"""Rules on saving (CKP1)."""
