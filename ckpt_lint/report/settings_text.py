"""`--show-settings`: the settings of a file, one line a key, spelled as in a configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ckpt_lint.model import RuleInfo
from ckpt_lint.report.look import json_safe, printable
from ckpt_lint.settings import Settings


def settings_text(path: str, settings: Settings, rules: Sequence[RuleInfo]) -> Iterator[str]:
    """What holds for the file `path`."""
    names = {rule.code: rule.name for rule in rules}
    yield f"Settings for: {printable(path)}\n"
    yield f"Configuration: {printable(settings.source or 'none, the defaults')}\n\n"
    yield "rules on in this file = [\n"
    for code in sorted(settings.codes_for(path)):
        yield f"  {code}, # {names.get(code, '')}\n"
    yield "]\n"
    for key, value in _values(settings):
        yield f"{key} = {json_safe(json.dumps(value, ensure_ascii=False))}\n"


def _values(settings: Settings) -> Iterator[tuple[str, object]]:
    yield "root", settings.root
    yield "torch-version", settings.torch_version
    yield "max-file-size", settings.max_file_size
    yield "test-paths", settings.test_paths.globs
    yield "include", settings.include.globs
    yield "checkpoints-include", [glob for patterns in settings.checkpoint_files for glob in patterns.globs]
    yield "exclude", [glob for patterns in settings.exclude for glob in patterns.globs]
    yield "force-exclude", settings.force_exclude
    yield "respect-gitignore", settings.respect_gitignore
    yield "unfixable", sorted(settings.unfixable)
    yield "extend-safe-fixes", sorted(settings.made_safe)
    yield "extend-unsafe-fixes", sorted(settings.made_unsafe)
    ignores = {
        ("!" if ignore.negated else "") + ignore.patterns.globs[0]: sorted(ignore.codes)
        for ignore in settings.per_file_ignores
    }
    yield "per-file-ignores", ignores
    yield "trusted-paths", {trusted.patterns.globs[0]: trusted.reason for trusted in settings.trusted_paths}
    yield "api.loaders", settings.api.loaders
    yield "api.savers", settings.api.savers
    yield "api.rank-guards", settings.api.rank_guards
    yield "api.unwrappers", settings.api.unwrappers
    yield "api.download-helpers", settings.api.download_helpers
    yield "python", settings.python
    yield "checkpoints", dict(settings.checkpoints)
    yield "fix", settings.fix
    yield "unsafe-fixes", settings.unsafe_fixes
    yield "fail-on", settings.fail_on.value
    yield "output-format", settings.output_format
