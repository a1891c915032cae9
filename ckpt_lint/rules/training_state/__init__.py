"""Rules on what a training checkpoint must hold (CKP2)."""
