"""Rules on loading (CKP3)."""
