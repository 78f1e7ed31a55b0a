"""The pages in a real browser: they open from a file, ask for nothing, and do what their controls say.

Needs Chromium (Debian's `chromium`) and playwright; the check of accessibility needs axe-core, whose `axe.min.js` the
variable AXE names: `npm pack axe-core`.
"""

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from baselines.page.compare_page import compare

from .large import large_page

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = os.environ.get("AXE", "")
WIDTHS = (360, 1400)


@dataclass
class Opened:
    """A page in the browser, with what it logged and asked for, and how long it took until its rows stood there."""

    page: object
    logged: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium is here: apt-get install chromium")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Return what opens a file, as `Opened`."""
    contexts = []

    def open_file(path, *, width=1400, scheme="light", hash="", wait_for=".row", script=True) -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        one = Opened(context.new_page())
        one.page.on("console", lambda message: one.logged.append(message.text))
        one.page.on("pageerror", lambda error: one.logged.append(str(error)))
        one.page.on("request", lambda request: one.asked.append(request.url))
        begun = time.monotonic()
        one.page.goto(path.resolve().as_uri() + hash)
        if script:
            one.page.wait_for_selector(wait_for)
        one.seconds = time.monotonic() - begun
        return one

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def file(page):
    return page.folder / "report.html"


@pytest.fixture(scope="module")
def compared(page, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "compare.html"
    compare(page.folder, page.folder, out)
    return out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_asks_for_nothing_logs_nothing_and_is_no_wider_than_the_screen(opened, file, width, scheme):
    one = opened(file, width=width, scheme=scheme)
    assert one.logged == []
    assert [url for url in one.asked if not url.startswith(("data:", file.as_uri()))] == []
    assert one.page.evaluate("document.documentElement.scrollWidth") == width
    background = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    one.page.click("#theme")
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") != background


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plot_fits_the_screen_its_letters_can_be_read_and_every_mark_is_named(opened, file, width):
    """On a phone the names stand in a list below the plot; where there is room, beside the marks."""
    one = opened(file, width=width)
    plots = one.page.locator("#tradeoff svg.scatter:visible")
    assert plots.count() == one.page.locator("#tradeoff figure").count() > 0
    for plot in plots.all():
        assert plot.evaluate("svg => svg.parentElement.scrollWidth <= svg.parentElement.clientWidth")
        heights = plot.locator("text").evaluate_all("texts => texts.map(text => text.getBoundingClientRect().height)")
        assert min(heights) >= 10, heights
        marks = plot.locator(".mark").count()
        named = plot.locator(".label").count() or plot.locator("xpath=..").locator(".marks li:visible").count()
        assert marks == named > 0


def test_a_click_on_a_column_sorts_by_it_and_once_more_the_other_way(opened, file, page):
    one = opened(file)
    found = [row for row in page.document["rows"] if row["scenario"] == "privacy"]
    cells = "#scores-privacy tbody tr th"
    shown = lambda: [text.rstrip("*") for text in one.page.locator(cells).all_text_contents()]  # noqa: E731
    button = one.page.locator("#scores-privacy button.sort", has_text="harm")
    for sort, falling in (("descending", True), ("ascending", False)):
        button.click()
        values = {row["model"]: row["harm"] for row in found}
        order = [values[name] for name in shown()]
        assert order == sorted(order, reverse=falling)
        assert button.locator("xpath=..").get_attribute("aria-sort") == sort
    others = one.page.locator("#scores-privacy thead th[aria-sort=none]").count()
    assert others == one.page.locator("#scores-privacy thead th").count() - 1


def test_filters_leave_what_they_say(opened, file, page):
    one = opened(file)
    browser = next(one for one in page.data["scenarios"] if one["scenario"] == "privacy")
    count = lambda: int(one.page.inner_text("#count").split()[0])  # noqa: E731
    assert count() == len(browser["rows"])
    patient = browser["rows"][0]["p"]
    one.page.select_option("[name=patient]", patient)
    assert count() == sum(row["p"] == patient for row in browser["rows"])
    one.page.click("button[type=reset]")
    one.page.select_option("[name=kind]", "name")
    assert count() == sum("name" in row["k"] for row in browser["rows"])
    one.page.select_option("[name=kind]", "")
    one.page.select_option("[name=model]", label="ga")
    one.page.select_option("[name=outcome]", "leak")
    places = [n for n, voice in enumerate(browser["voices"]) if browser["models"][voice["m"]] == "ga"]
    leaking = [row for row in browser["rows"] if any(row["d"][row["b"][place]]["o"] == "leak" for place in places)]
    assert 0 < count() == len(leaking) < len(browser["rows"])
    assert set(one.page.locator("article .said li:not(.again) .who").all_text_contents()) == {
        "target", "retain_only", "ga",
    }  # fmt: skip
    one.page.select_option("[name=scenario]", label="incorrectness")
    assert one.page.locator("[name=outcome] option[value=leak]").count() == 0


def test_a_link_to_a_row_shows_it_whatever_was_filtered(opened, file, page):
    rows = page.data["scenarios"][1]["rows"]
    one = opened(file, hash=f"#row-{rows[-1]['i']}")
    assert one.page.locator(".row.linked").count() == 1
    assert one.page.evaluate("document.activeElement.id") == f"row-{rows[-1]['i']}"
    one.page.fill("[name=words]", "no row holds this")
    assert one.page.locator(".row").count() == 0
    other = page.data["scenarios"][0]["rows"][25]["i"]
    one.page.evaluate("id => { location.hash = `row-${id}`; }", other)
    one.page.wait_for_selector(f"#row-{other}.linked")


def test_hostile_answers_are_shown_and_nothing_runs(opened, file, page):
    one = opened(file, width=360)
    title = one.page.title()
    one.page.select_option("[name=model]", label="gd")
    shown = ""
    while True:
        shown += one.page.inner_text("#rows")
        assert one.page.evaluate("document.documentElement.scrollWidth") == 360
        if one.page.locator("#after").is_disabled():
            break
        one.page.click("#after")
    assert one.page.title() == title and one.logged == []
    assert "<script>document.title='ran'</script>" in shown and "<iframe srcdoc" in shown and "␀" in shown
    assert "characters not shown" in shown and "⟨U+202E⟩" in shown
    inside = "#rows :is(script, style, iframe, svg, link, meta, a[href^=javascript], [onerror], [onload])"
    assert one.page.locator(inside).count() == 0


def test_without_scripts_all_but_the_answers_is_there_and_that_is_said(opened, file):
    one = opened(file, script=False)
    assert one.page.locator("#scores-privacy tbody tr").count() == 7
    assert "switched off" in one.page.inner_text("noscript")


def test_all_can_be_reached_by_keyboard(opened, file):
    one = opened(file)
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.className") == "skip"
    one.page.locator("#scores-privacy button.sort").first.focus()
    one.page.keyboard.press("Enter")
    assert one.page.locator("#scores-privacy th").first.get_attribute("aria-sort") == "ascending"


@pytest.mark.skipif(not Path(AXE).is_file(), reason="AXE names no axe.min.js: npm pack axe-core")
@pytest.mark.parametrize("which", ["file", "compared"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(opened, request, which, width, scheme):
    one = opened(request.getfixturevalue(which), width=width, scheme=scheme, wait_for="#count")
    if one.page.locator("[name=changed]").count():
        one.page.uncheck("[name=changed]")
    one.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    one.page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = one.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    first = [{"id": item["id"], "impact": item["impact"], **item["nodes"][0]} for item in found]
    assert first == [], json.dumps(first, indent=1)


def test_two_studies_show_what_changed(opened, compared):
    one = opened(compared, wait_for="#count")
    assert one.logged == [] and one.page.inner_text("#count").startswith("No row")
    one.page.uncheck("[name=changed]")
    assert one.page.locator(".row").count() == 10


def test_a_large_study_is_under_25_mb_and_opens_in_three_seconds(opened, page, tmp_path):
    path = large_page(tmp_path / "large", page.document, methods=13, rows=5000)
    size = path.stat().st_size
    one = opened(path)
    one.page.select_option("[name=outcome]", "leak")
    print(f"{size / 1e6:.1f} MB, opened in {one.seconds:.2f} s")
    assert size < 25_000_000 and one.seconds < 3 and one.logged == []
