"""Every file that pydicom and pydicom-data carry is shown as pydicom.pixels shows it, or has a reason not to be."""

from collections import Counter
from importlib.util import find_spec

import pytest

from tests.dicom_table import carried_files, table_row

pytestmark = pytest.mark.filterwarnings("ignore")
# Above these bytes decoding takes seconds: full radiographs and cine loops.
SMALL = 110_000
REASONS = {
    "different": (
        "no window: CT from -160 to 240 HU",
        "no window: from the 1st to the 99th percentile",
        "a window that shows nothing: from the 1st to the 99th percentile",
        "values and window of the frame's own group",
    ),
    "left out": ("no image but ", "no DICOM file", "an index of other files"),
    "refused": (
        "packed as JPEG",
        "it has a header, but no pixels",
        "it holds no image, or ends before its pixels do",
        "its header says nothing",
        # One truncated, and two broken JPEG 2000 streams.
        "it can't be read: The number of bytes of pixel data is less than expected (8130 vs 8192 bytes)",
        "it can't be read: pillow: Image size",
        "it can't be read: pillow: broken data stream",
    ),
}


# Ten more files are the same, and two different for a reason, where these decoders are installed.
with_pillow_alone = pytest.mark.skipif(find_spec("pylibjpeg") is not None, reason="the counts are of Pillow alone")


def results(paths):
    rows = [table_row(path) for path in paths]
    assert not [row for row in rows if row.result != "same" and not row.reason.startswith(REASONS[row.result])]
    return Counter(row.result for row in rows)


@with_pillow_alone
def test_the_small_files_are_the_same_or_have_a_reason():
    paths = [path for path in carried_files() if path.stat().st_size < SMALL]
    assert results(paths) == {"same": 99, "different": 4, "left out": 101, "refused": 19}


@pytest.mark.slow
@with_pillow_alone
def test_all_files_are_the_same_or_have_a_reason():
    assert results(carried_files()) == {"same": 140, "different": 7, "left out": 102, "refused": 22}
