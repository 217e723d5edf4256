from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from harness.browser import chromium, chromium_path


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    if chromium_path() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with chromium() as browser:
        yield browser
