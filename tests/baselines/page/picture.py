"""The README's picture of the page: one row of a finished bench that a method leaks, and what each model says to it.

    python -m tests.baselines.page.picture runs/bench/report.html

Needs Chromium and playwright, as `test_in_browser.py` does.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

RESULT = Path(__file__).parents[3] / "baselines" / "results" / "page.png"
METHOD, SECRETS, COLOURS = "ga", 4, 128


def taken(page: Page) -> bytes:
    """Return the answer browser with the first row on which the method leaks one of so many secrets."""
    page.select_option("[name=model]", label=METHOD)
    page.select_option("[name=outcome]", "leak")
    row = page.locator("article").filter(has=page.locator(f"dd:first-of-type mark >> nth={SECRETS - 1}")).first
    row_id, patient = row.get_attribute("id"), row.locator(".meta").inner_text().split("patient ")[1].split(" ")[0]
    page.click("button[type=reset]")
    page.evaluate("id => { location.hash = id; }", row_id)
    page.wait_for_selector(".row.linked")
    page.select_option("[name=place]", "forget")
    page.select_option("[name=patient]", patient)
    page.evaluate("document.querySelectorAll('.row:not(.linked)').forEach(row => row.remove())")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    top, card = page.locator("#answers").bounding_box(), page.locator(".row").bounding_box()
    assert top is not None and card is not None
    height = card["y"] + card["height"] - top["y"] - 10
    return page.screenshot(full_page=True, clip={"x": 20, "y": top["y"] + 20, "width": 1020, "height": height})


def main(report: Path) -> None:
    """Take the picture and put it in its place."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1060, "height": 900}, device_scale_factor=1.25)
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        page.wait_for_selector(".row")
        picture = Image.open(io.BytesIO(taken(page))).convert("RGB")
        browser.close()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(RESULT, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
