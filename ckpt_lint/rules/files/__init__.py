"""Rules on what a checkpoint file is (CKP5)."""
