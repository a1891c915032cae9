"""What holds for every test: the fact cache of the person who runs them is left alone."""

from __future__ import annotations

import pytest

from ckpt_lint.cache_folder import ENVIRONMENT


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A cache of this session, for this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVIRONMENT, str(tmp_path_factory.mktemp("facts")))
        yield
