"""The reference of the API finds operations by what is typed, in Swagger UI itself."""

from playwright.async_api import expect


async def test_operations_are_found_by_path_and_words(chrome, stack):
    async with await chrome.new_page() as page:
        await page.goto(f"{stack.api_url}/docs")
        found = page.locator(".opblock", has_text="/api/v1/")
        await expect(found.first).to_be_visible()
        await page.get_by_role("textbox", name="Search by path, name or words").fill("resolve dispute")
        await expect(found).to_have_count(1)
        await expect(found).to_contain_text("/disputes/resolution")
