"""`ckpt-lint server`: a language server over stdin and stdout. pygls is imported in `ckpt_lint.server.language_server`."""
