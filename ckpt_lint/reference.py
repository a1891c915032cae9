"""The reference pages of the documentation, made from the code: configuration keys, command line, rules by family."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from ckpt_lint.cli.arguments import parser
from ckpt_lint.config.options import API_NAMES, OPTIONS, OUTPUT_FORMATS, Option
from ckpt_lint.model import Applicability, RuleInfo
from ckpt_lint.settings import CHECKPOINT_FILES, DEFAULT_EXCLUDE

FIX = {None: "", Applicability.SAFE: "safe", Applicability.UNSAFE: "unsafe", Applicability.DISPLAY: "shown"}
FAMILIES: Mapping[str, tuple[str, str]] = {
    "CKP1": ("Saving", "What a program writes, and how."),
    "CKP2": ("Training state", "What a checkpoint must hold so that a run can go on. Silent where keys are unknown."),
    "CKP3": ("Loading", "How a file is read: what may run, where tensors land, what `weights_only=True` refuses."),
    "CKP4": ("Restoring", "What becomes of what was read: keys, order, and errors that nobody sees."),
    "CKP5": ("Checkpoint files", "What only the file itself can show. Nothing in it is run."),
    "CKP9": ("The tool itself", "Comments that suppress nothing."),
}
"""The families by the prefix of their codes: title, and a sentence about them."""

_FEW = 4
"""Choices that stand behind their option; more of them stand in the text."""

_GROUPS: Mapping[str, str] = {
    "torch26": "what breaks, or stops being needed, with torch 2.6",
    "resume": "a run that goes on as something else",
    "security": "a file that runs code",
    "portability": "another host, another device, another wrapper",
    "distributed": "several processes",
}
_SPECIAL: Mapping[str, str] = {
    "exclude": "The default is " + ", ".join(f"`{name}`" for name in DEFAULT_EXCLUDE) + ".",
    "checkpoints-include": "`--checkpoints` stands for " + ", ".join(f"`{name}`" for name in CHECKPOINT_FILES) + ".",
    "output-format": "Known are " + ", ".join(f"`{name}`" for name in OUTPUT_FORMATS) + "; see [the formats](output.md).",
    "api": "Its keys:\n\n" + "\n".join(f"- `{name}`: {doc}" for name, doc in API_NAMES.items()),
}
_CONFIGURATION = """# Configuration

The nearest `pyproject.toml` with `[tool.ckpt-lint]` holds, or a `ckpt-lint.toml` with the same keys at its top. A wrong
key, value or code is an error (exit code 2). The command line wins over the file; `--config KEY=VALUE` sets any key for
one run, `--isolated` reads no file, and `ckpt-lint check --show-settings` says what holds, and where it comes from.

Patterns are those of `.gitignore`, relative to the folder of the file that they stand in. Rules are named by code
(`CKP302`), prefix (`CKP3`), name (`load-without-weights-only`), group (`security`) or `ALL`. A prefix or group turns on
the rules that are on by default; one that is off needs its full code, its name, or `ALL`.

A repository may be anybody's: what stands in its files runs no code, and reads nothing outside of it. `extend`, the
checkpoints of `checkpoints`, and files that a manifest includes lie in the Git repository, links followed (where there
is none: in the folder of the file, for configurations also in the working folder above it), and `verify` does not run
the interpreter that `python` names. `--config FILE` and `--config KEY=VALUE` are believed.

"""
_COMMANDS = """# Command line

`ckpt-lint COMMAND --help` says the same. [Exit codes](output.md#exit-codes) are 0 clean, 1 findings, 2 usage or
configuration, 3 something could not be checked.

"""


def configuration_page() -> str:
    """Every key of the configuration: what it may be, its default, what it does, an example."""
    rows = "\n".join(f"| [`{key}`](#{key}) | {cell(option.doc)} |" for key, option in OPTIONS.items())
    parts = [f"| key | what it does |\n|---|---|\n{rows}", *(_key(key, option) for key, option in OPTIONS.items())]
    return _CONFIGURATION + "\n\n".join(parts) + "\n"


def _key(key: str, option: Option) -> str:
    default = option.default if " " in option.default and option.default[0] not in '[{"' else f"`{option.default}`"
    parts = [f"## `{key}`", option.doc]
    if key in _SPECIAL:
        parts.append(_SPECIAL[key])
    parts.append(f"- Type: {option.kind.name}\n- Default: {default}")
    parts.append(f"```toml\n[tool.ckpt-lint]\n{option.example}\n```")
    return "\n\n".join(parts)


def commands_page() -> str:
    """Every command with its arguments, as the parser has them."""
    parts = []
    for name, summary, command in _subcommands(parser()):
        parts.append(f"## `ckpt-lint {name}`\n\n{summary[:1].upper()}{summary[1:]}.\n\n{_arguments(command)}")
    return _COMMANDS + "\n\n".join(parts) + "\n"


def _subcommands(top: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                yield name, summaries.get(name, ""), command


def _arguments(command: argparse.ArgumentParser) -> str:
    rows = ["| argument | meaning |", "|---|---|"]
    for action in command._actions:
        if action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
            rows.append(f"| {cell(_spelling(action))} | {cell(_meaning(action))} |")
    closing = f"\n\n{command.epilog[:1].upper()}{command.epilog[1:]}." if command.epilog else ""
    return "\n".join(rows) + closing


def _spelling(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return f"`{value}`"
    joined = "=" if action.nargs == "?" else " "
    taken = "" if action.nargs == 0 else f"[{joined}{value}]" if action.nargs == "?" else f"{joined}{value}"
    return ", ".join(f"`{name}{taken if name.startswith('--') else ''}`" for name in action.option_strings)


def _value(action: argparse.Action) -> str:
    if action.metavar is None and action.choices is not None:
        choices = [str(choice) for choice in action.choices]
        return "{" + ",".join(choices) + "}" if len(choices) <= _FEW else "NAME"
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return metavar if action.nargs not in ("*", "+") else f"{metavar} ..."


def _meaning(action: argparse.Action) -> str:
    """What the help says, less the default of a switch, which some Pythons add to it."""
    meaning = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%").strip()
    if action.metavar is None and action.choices is not None and len(list(action.choices)) > _FEW:
        meaning += "; one of " + ", ".join(f"`{choice}`" for choice in action.choices)
    return meaning


def rules_page(rules: Sequence[RuleInfo]) -> str:
    """The rules by family, with a link to the page of each."""
    groups = "\n".join(
        f"- `{group}`: {what}: {', '.join(rule.code for rule in rules if group in rule.groups)}"
        for group, what in _GROUPS.items()
    )
    parts = [f"# Rules\n\n{_INTRODUCTION}"]
    for prefix, (title, sentence) in FAMILIES.items():
        mine = [rule for rule in rules if rule.code.startswith(prefix)]
        if mine:
            parts.append(f"## {title} ({prefix})\n\n{sentence}\n\n{_family(mine)}")
    return "\n\n".join([*parts, f"## Groups\n\nA group selects across the families.\n\n{groups}"]) + "\n"


_INTRODUCTION = """A finding is an **error** where, if it is true, the program crashes, hangs, runs foreign code, writes a
file that cannot be used, or loses optimizer state. It is a **warning** where the result is worse, fragile or cannot be
repeated. A **safe** fix leaves the program doing what it did, less the hazard, on every torch that the project allows;
an **unsafe** one is right as a rule, but a reader of the file or a result may change. What is **off** has
to be selected by its code or name. A rule that cannot tell is silent."""


def _family(rules: Sequence[RuleInfo]) -> str:
    rows = ["| rule | finds | severity | fix |", "|---|---|---|---|"]
    for rule in rules:
        severity = rule.severity.value + ("" if rule.on else ", off")
        link = f"[{rule.code} {rule.name}]({rule.name}.md)"
        rows.append(f"| {link} | {cell(rule.page.summary)} | {severity} | {FIX[rule.fix]} |")
    return "\n".join(rows)


def navigation(rules: Sequence[RuleInfo], folder: str) -> str:
    """The part of `nav` in zensical.toml that lists the pages of the rules."""
    lines = []
    for prefix, (title, _) in FAMILIES.items():
        mine = [rule for rule in rules if rule.code.startswith(prefix)]
        if mine:
            pages = "".join(f'    {{ "{rule.code} {rule.name}" = "{folder}/{rule.name}.md" }},\n' for rule in mine)
            lines.append(f'  {{ "{title} ({prefix})" = [\n{pages}  ] }},\n')
    return "".join(lines)


def cell(text: str) -> str:
    """Text as a cell of a Markdown table: one line, with its bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")
