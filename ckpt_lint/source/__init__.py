"""Understanding source code: text, gate, LibCST recording, scopes, names, flow, and the facts the rules read."""
