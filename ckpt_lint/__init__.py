"""ckpt-lint: a static checker, autofixer and verifier for PyTorch checkpoint code and checkpoint files."""

__version__ = "0.1.0"
