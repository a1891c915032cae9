"""The page of `inspect --html` in a real browser: it is laid out, fits, and nothing of the file acts in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.command import ckpt_lint

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the page was not laid out")

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
NASTY = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
MEASURE = """<script>addEventListener("load", () => {
const map = document.querySelector("svg").getBoundingClientRect();
const boxes = [...document.querySelectorAll("rect")].map(box => box.getBoundingClientRect());
const seen = {
  title: document.title, scripts: document.scripts.length, images: document.images.length,
  wider: document.documentElement.scrollWidth - innerWidth,
  covered: boxes.reduce((sum, box) => sum + box.width * box.height, 0) / (map.width * map.height),
  outside: boxes.filter(box => box.right > map.right + 1 || box.bottom > map.bottom + 1).length,
  rows: document.querySelectorAll("table tr").length, findings: document.querySelectorAll(".finding").length,
  keys: [...document.querySelectorAll(".key")].map(key => key.innerText),
};
const shown = document.createElement("pre"); shown.id = "measured"; shown.innerText = JSON.stringify(seen);
document.body.append(shown);
})</script>"""


def measured(page: Path, *, width: int) -> dict[str, Any]:
    """What the browser made of the page, at a window of `width` pixels."""
    probe = page.with_name("probe.html")
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={page.with_name('profile')}", f"--window-size={width},900", "--dump-dom",
         probe.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    answer: dict[str, Any] = json.loads(html.unescape(found[1]))
    return answer


@pytest.mark.parametrize("width", [1200, 520])
def test_the_page_is_laid_out_and_fits(tmp_path: Path, width: int) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.Linear(30, 20))
    state = {f"a.very.long.key.of.a.module.{key}.{NASTY}": value for key, value in model.state_dict().items()}
    torch.save({"model": state, "ema": dict(state), NASTY: torch.ones(3), "epoch": 3}, tmp_path / "model.pt")
    assert ckpt_lint("inspect", "model.pt", "--html", "page.html", cwd=tmp_path).code == 0
    seen = measured(tmp_path / "page.html", width=width)
    assert (seen["title"], seen["scripts"], seen["images"]) == ("model.pt · ckpt-lint", 1, 0)
    assert seen["wider"] <= 0, "the page is wider than its window"
    assert seen["covered"] == pytest.approx(1, abs=0.02) and seen["outside"] == 0
    assert seen["rows"] == 1 + 9 and seen["findings"] >= 1
    assert [key.rpartition(": ")[0] for key in seen["keys"]] == ["model", NASTY], "tied bytes count once"
