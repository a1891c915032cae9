"""The arguments of every command. What a command does is imported when it is called."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

import ckpt_lint
from ckpt_lint.cli import engine_arguments, inspect_arguments
from ckpt_lint.cli.verify_arguments import add_arguments
from ckpt_lint.config.options import FAIL_ON, OUTPUT_FORMATS

_EXIT_CODES = "exit codes: 0 clean, 1 findings, 2 usage or configuration error, 3 something could not be checked"

_INSPECTED = "exit codes: 0 all read, 2 usage error, 3 something could not be read to its end"

_VERDICTS = "exit codes: 0 all confirmed, 1 a fix is refuted, 2 usage error, 3 something could not be verified"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the function to call as `command`. SystemExit 2 where they make no sense."""
    return parser().parse_args(_with_equals(argv))


class _Parser(argparse.ArgumentParser):
    """Names files in its complaints as they can be shown: a wildcard of the shell may have brought them."""

    def error(self, message: str) -> NoReturn:
        from ckpt_lint.report.look import printable

        super().error(printable(message))


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(prog="ckpt-lint", description="Find and fix hazards of PyTorch checkpoints.", epilog=_EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"ckpt-lint {ckpt_lint.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_check(commands.add_parser("check", help="check, and with --fix fix, files and folders", epilog=_EXIT_CODES))
    _add_rule(commands.add_parser("rule", help="say what a rule means and why"))
    _add_explain(commands.add_parser("explain", help="say why something fired, or did not, on a line"))
    _add_inspect(commands.add_parser("inspect", help="say what a checkpoint file is and holds", epilog=_INSPECTED))
    _add_verify(commands.add_parser("verify", help="confirm fixes on real checkpoints under torch", epilog=_VERDICTS))
    _add_server(commands.add_parser("server", help="speak with an editor over stdin and stdout (LSP)"))
    _add_clean(commands.add_parser("clean", help="remove the fact cache"))
    _add_completion(commands.add_parser("completion", help="print a script that makes a shell complete our options"))
    return parser


def _with_equals(argv: Sequence[str]) -> list[str]:
    """`--add-noqa PATH` is no reason: one needs a `=`, which argparse cannot ask for."""
    ours = argv.index("--") if "--" in argv else len(argv)
    return [f"{word}=" if word == "--add-noqa" and place < ours else word for place, word in enumerate(argv)]


def _clean(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.clean import clean

    return clean(arguments)


def _completion(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.completion import completion

    return completion(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.check import check

    return check(arguments)


def _rule(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.rule import rule

    return rule(arguments)


def _explain(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.explain import explain

    return explain(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.verify import run

    return run(arguments)


def _server(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.server import server

    return server(arguments)


def _inspect(arguments: argparse.Namespace) -> int:
    from ckpt_lint.cli.inspect import run

    return run(arguments)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_inspect)
    inspect_arguments.add_arguments(parser)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_verify)
    add_arguments(parser)
    _add_cache(parser)
    _add_selection(parser.add_argument_group("rule selection"))
    _add_configuration(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_server)
    _add_cache(parser)
    _add_selection(parser.add_argument_group("rule selection"))
    _add_configuration(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_check)
    paths = "files (code or checkpoints), folders, URLs of checkpoints, or `-` for stdin (default: .)"
    parser.add_argument("paths", nargs="*", metavar="PATH", help=paths)
    _switch(parser, "--fix", help="apply safe fixes")
    _switch(parser, "--unsafe-fixes", help="show, and with --fix apply, unsafe fixes too")
    parser.add_argument("--diff", action="store_true", help="show what --fix would change, and change nothing")
    parser.add_argument("-w", "--watch", action="store_true", help="check again whenever files change")
    reason = "write a `noqa` comment for every finding, with a reason where one is given"
    parser.add_argument("--add-noqa", nargs="?", const="", metavar="REASON", help=reason)
    parser.add_argument("--deep", action="store_true", help="read the tensors of checkpoint files too: CRCs, NaN")
    formats = (*OUTPUT_FORMATS, engine_arguments.PARQUET)
    parser.add_argument("--output-format", choices=formats, help="how findings are shown (default: full)")
    parser.add_argument("-o", "--output-file", metavar="FILE", help="write the report there")
    known = "a file of findings that are not reported; rows and cells do not count"
    parser.add_argument("--baseline", metavar="FILE", help=known)
    parser.add_argument("--update-baseline", action="store_true", help="write what is found now to the baseline")
    parser.add_argument("--statistics", action="store_true", help="count the findings of every rule instead")
    parser.add_argument("--show-files", action="store_true", help="list the files that would be checked")
    parser.add_argument("--show-settings", action="store_true", help="show the settings of the first file")
    parser.add_argument("-j", "--jobs", type=_jobs, metavar="N", help="processes (default: as many as pay)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print findings, and nothing else")
    _add_cache(parser)
    selection = parser.add_argument_group("rule selection")
    _add_selection(selection)
    selection.add_argument("--fixable", type=_listed, action="extend", metavar="RULES", help="rules whose fixes count")
    selection.add_argument("--unfixable", type=_listed, action="extend", metavar="RULES", help="and whose do not")
    _add_files(parser.add_argument_group("file selection"))
    engine_arguments.add_arguments(parser.add_argument_group("more than one machine"))
    exits = parser.add_argument_group("exit code")
    exits.add_argument("-e", "--exit-zero", action="store_true", help="exit with 0 where there are findings")
    exits.add_argument("--exit-non-zero-on-fix", action="store_true", help="exit with 1 where --fix changed a file")
    exits.add_argument("--fail-on", choices=FAIL_ON, help="least severity for exit code 1 (default: warning)")
    _add_configuration(parser)


def _add_selection(group: argparse._ArgumentGroup) -> None:
    codes = "comma-separated codes, prefixes, names, groups or ALL"
    group.add_argument("--select", type=_listed, action="extend", metavar="RULES", help=f"rules that are on: {codes}")
    group.add_argument("--ignore", type=_listed, action="extend", metavar="RULES", help="rules that are off")
    group.add_argument("--extend-select", type=_listed, action="extend", metavar="RULES", help="rules on besides these")


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--checkpoints", action="store_true", help="take checkpoint files out of folders, too")
    group.add_argument("--exclude", type=_listed, action="extend", metavar="PATTERNS", help="what to pass by")
    group.add_argument("--extend-exclude", type=_listed, action="extend", metavar="PATTERNS", help="more of the same")
    _switch(group, "--force-exclude", help="pass excluded files by even where they are named")
    _switch(group, "--respect-gitignore", help="pass by what .gitignore ignores (default)")
    group.add_argument("--stdin-filename", metavar="PATH", help="the name of what comes on stdin")
    group.add_argument("--no-gate", dest="gate", action="store_false", help="parse every file, for comparison")


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--torch-version", metavar="X", help="the torch that the code runs on: 2.6, '>=2.4,<2.8', or `installed`"
    )
    group.add_argument(
        "--config",
        action="append",
        metavar="FILE|KEY=VALUE",
        default=[],
        help="the one configuration file, or one TOML setting",
    )
    group.add_argument("--isolated", action="store_true", help="read no configuration file")


def _add_cache(group: argparse._ActionsContainer) -> None:
    group.add_argument("--no-cache", action="store_true", help="neither read nor write the fact cache")
    group.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="where the fact cache lies (default: CKPT_LINT_CACHE_DIR, else the place for a user's caches)",
    )


def _add_clean(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_clean)
    parser.add_argument("--cache-dir", metavar="DIR", help="the cache to remove (default: the one that check uses)")


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_completion)
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def _add_rule(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_rule)
    parser.add_argument("rule", nargs="?", metavar="CODE|NAME")
    parser.add_argument("--all", action="store_true", help="every rule")
    parser.add_argument("--prove", action="store_true", help="show under torch that the hazard is real, the fix right")
    parser.add_argument("--python", metavar="PATH", help="the interpreter that has torch (default: our own)")
    parser.add_argument("--output-format", choices=("text", "json"), default="text")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_explain)
    parser.add_argument("place", metavar="FILE:LINE", help="in a notebook FILE:cell N:LINE")
    _add_selection(parser.add_argument_group("rule selection"))
    _add_configuration(parser)


def _switch(parser: argparse._ActionsContainer, name: str, *, help: str) -> None:
    parser.add_argument(name, action=argparse.BooleanOptionalAction, default=None, help=help)


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _jobs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
