"""What holds for every test: the fact cache of the person who runs them is left alone.

And what keeps thousands of them quick. The tests themselves, and what their modules import, live to the end: the cycle
collector, which some of the code calls by name, need not walk them again and again. And the many processes that tests
start find compiled bytecode, wherever the environment asks for none: else each compiles the whole package anew.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest

from ckpt_lint.cache_folder import ENVIRONMENT


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache of this session, for this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVIRONMENT, str(tmp_path_factory.mktemp("facts")))
        yield


LONGEST_FIRST = (
    "tests/proofs/test_proofs.py",
    "tests/docs/test_commands.py",
    "tests/test_doors.py",
    "tests/verify/test_bad_input.py",
    "tests/verify/test_child.py",
    "tests/rules/test_everything.py",
    "tests/test_parallel.py",
    "tests/test_precommit.py",
    "tests/test_kills.py",
    "tests/artifact/test_work.py",
    "tests/proofs/test_prove.py",
    "tests/cli/test_bad_projects.py",
    "tests/test_no_extras.py",
    "tests/test_file_verdicts.py",
    "tests/cli/test_output_file.py",
    "tests/cluster/test_dask.py",
)
"""Files that take long, whatever number of tests is in them: what begins last may keep one process busy alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


def pytest_configure(config: pytest.Config) -> None:
    """What a shell starts in the background ignores interrupts, and so would the programs that tests interrupt."""
    config.option.loadscopereorder = False  # by number of tests; ours is by time
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """All tests are imported."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def little_to_collect() -> Iterator[None]:
    """What the modules before this one left alive is not walked any more; what they left to collect is collected."""
    gc.collect()
    gc.freeze()
    yield
