"""What several roles give to Amazon: a region, and what goes before the names in a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .words import shown

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
PREFIX = re.compile(r"([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?")


def region_complaints(name: str, region: str) -> Iterator[str]:
    """A region's name has its shape; which ones there are, Amazon knows."""
    if not region:
        yield f"{name}: is empty. Give a region of AWS, such as eu-central-1."
    elif not REGION.fullmatch(region):
        zone = REGION.fullmatch(region[:-1])
        what = (
            f"is a zone. Give its region, {region[:-1]}." if zone else "is no AWS region. Give one like eu-central-1."
        )
        yield f"{name}: {shown(region)} {what}"


def prefix_complaints(name: str, prefix: str) -> Iterator[str]:
    """Names that mean the same to S3, to a file system and to an IAM policy."""
    if not PREFIX.fullmatch(prefix) or re.search(r"(^|/)[.][.]?(/|$)", prefix):
        yield (
            f"{name}: {shown(prefix)} can't be a prefix. Give names of letters, digits and _ . = - with one / "
            "between them."
        )
