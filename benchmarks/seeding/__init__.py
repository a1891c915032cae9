"""Mechanical faults for real training code. Standard library only: nothing of ckpt_lint may be imported here."""
