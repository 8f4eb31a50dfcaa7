"""How somebody works a page: with a pointer, or by keyboard alone."""

from typing import Protocol

from playwright.async_api import Locator, Page, expect

#: More stops than any page has from one control to the next.
STOPS = 250
_IS_FOCUSED = "(e) => e.isConnected ? e === document.activeElement : null"
_GROUP_FOCUSED = """(e) => e.isConnected
  ? document.activeElement?.type === "radio" && document.activeElement.name === e.name : null"""


class Hands(Protocol):
    """Works controls that it waits for."""

    async def press(self, control: Locator) -> None:
        """Press a link or a button."""

    async def write(self, field: Locator, text: str) -> None:
        """Write a text in place of what a field holds."""

    async def choose(self, field: Locator, words: str) -> None:
        """Choose an option of a list by the beginning of its words."""

    async def tick(self, box: Locator) -> None:
        """Tick a box, or one of several."""


class Pointer:
    """Hands with a pointer."""

    async def press(self, control: Locator) -> None:
        await control.click()

    async def write(self, field: Locator, text: str) -> None:
        await field.fill(text)

    async def choose(self, field: Locator, words: str) -> None:
        option = field.locator("option").filter(has_text=words).first
        await field.select_option(value=await option.get_attribute("value"))

    async def tick(self, box: Locator) -> None:
        await box.check()


class Keyboard:
    """Hands that have a keyboard alone: every control is reached by Tab, from wherever the focus is."""

    def __init__(self, page: Page) -> None:
        """Take the page that has the focus."""
        self._page = page

    async def press(self, control: Locator) -> None:
        await self._reach(control, _IS_FOCUSED)
        await self._page.keyboard.press("Enter")

    async def write(self, field: Locator, text: str) -> None:
        await self._reach(field, _IS_FOCUSED)
        await self._page.keyboard.press("Control+A")
        lines = text.split("\n")
        for number, line in enumerate(lines):
            await self._page.keyboard.insert_text(line)
            if number < len(lines) - 1:
                await self._page.keyboard.press("Enter")
        if not text:
            await self._page.keyboard.press("Delete")

    async def choose(self, field: Locator, words: str) -> None:
        await self._reach(field, _IS_FOCUSED)
        await self._page.keyboard.type(words)
        assert words in await field.evaluate("(e) => e.selectedOptions[0].textContent")

    async def tick(self, box: Locator) -> None:
        if await box.is_checked():
            return
        if await box.get_attribute("type") != "radio":
            await self._reach(box, _IS_FOCUSED)
            await self._page.keyboard.press("Space")
        else:
            await self._reach(box, _GROUP_FOCUSED)
            await self._page.keyboard.press("Space")
            for _ in range(STOPS):
                if await box.is_checked():
                    break
                await self._page.keyboard.press("ArrowDown")
        await expect(box).to_be_checked()

    async def _reach(self, control: Locator, reached: str) -> None:
        await control.wait_for()
        # Finding a control by its words takes longer than a stop; it is found again where the page has replaced it.
        element = await control.element_handle()
        for _ in range(STOPS):
            is_reached = await element.evaluate(reached)
            if is_reached is None:
                element = await control.element_handle()
                is_reached = await element.evaluate(reached)
            if is_reached:
                return
            await self._page.keyboard.press("Tab")
        raise AssertionError(f"{control} is not reached by Tab")
