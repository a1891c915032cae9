"""Rules on restoring (CKP4)."""
