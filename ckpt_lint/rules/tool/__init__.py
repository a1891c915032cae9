"""Rules about what is written for the tool itself: CKP9."""
