"""The page in a real browser, from its file: nothing is refused or logged, lines sort and filter."""

import re
import shutil
import subprocess

import pytest

from baselines.leaderboard import space

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What a reader does: sort by method, by method again, look for one of them.
ACTS = """
<script>
{
  const lines = () => [...document.querySelectorAll("tbody tr:not([hidden])")];
  const names = () => lines().map(row => row.cells[0].dataset.value).join(",");
  const acted = [names()];
  const method = document.querySelector("th button"), sorted = () => method.parentElement.getAttribute("aria-sort");
  method.click();
  acted.push(`${names()} ${sorted()}`);
  method.click();
  acted.push(`${names()} ${sorted()}`);
  const field = document.getElementById("filter");
  field.value = "RETAIN nano";
  field.dispatchEvent(new Event("input"));
  acted.push(`${names()} ${document.getElementById("shown").textContent}`);
  acted.push(document.documentElement.scrollWidth <= window.innerWidth ? "fits" : "is too wide");
  document.body.dataset.acted = acted.join("|");
}
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no chromium (apt-get install chromium)")
@pytest.mark.parametrize("width", [360, 1400])
def test_lines_sort_and_filter_and_the_page_fits(entry_file, tmp_path, width):
    out = tmp_path / "space"
    space.leaderboard([entry_file], out, [None])
    page = out / "index.html"
    page.write_text(page.read_text().replace("</body>", f"{ACTS}</body>"))
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    (acted,) = re.findall(r'data-acted="([^"]*)"', done.stdout)
    assert acted.split("|") == [
        "gd,retain_ft", "gd,retain_ft ascending", "retain_ft,gd descending", "retain_ft 1 of 2 lines", "fits",
    ]  # fmt: skip
    assert "CONSOLE" not in done.stderr
