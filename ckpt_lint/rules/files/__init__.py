"""Rules about what a checkpoint file is (CKP5): they read files, and nothing in code."""
