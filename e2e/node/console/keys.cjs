// A person without a mouse: keys only, and what has the focus.
"use strict";

const TABS_MAX = 300;
/** After so many milliseconds a list takes letters as another word. */
const WORD_MS = 1200;

/** Everything that can be done on a page by keys. */
module.exports = (page) => {
    const { keyboard } = page;
    let picked = 0;
    /** Tab or Shift+Tab, whichever leads there sooner, as somebody does who sees where the focus is. */
    const to = async (locator) => {
        await locator.first().waitFor();
        const target = await locator.first().elementHandle();
        for (let step = 0; step < TABS_MAX; step++) {
            const where = await target.evaluate((one) => {
                const active = document.activeElement;
                if (one === active) return "there";
                if (!one.isConnected) return "gone";
                // In a dialog, only its own stops count.
                return active && active !== document.body && active.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING ? "back" : "on";
            });
            if (where === "there") return;
            if (where === "gone") return to(locator);
            await keyboard.press(where === "back" ? "Shift+Tab" : "Tab");
        }
        throw new Error(`no number of Tabs leads to ${locator}`);
    };
    const press = async (locator, key = "Enter") => (await to(locator), keyboard.press(key));
    const write = async (locator, text) => {
        await to(locator);
        await keyboard.press("Control+A");
        await keyboard.type(text);
    };
    /** Types the beginning of an option, as one does in a list. What is typed soon after counts as more of the same word. */
    const pick = async (locator, text) => {
        await to(locator);
        await page.waitForTimeout(Math.max(0, picked + WORD_MS - Date.now()));
        await keyboard.type(text);
        picked = Date.now();
    };
    const tick = async (locator) => {
        await press(locator, "Space");
        if (!(await locator.first().isChecked())) throw new Error(`${locator} is not ticked`);
    };
    return { to, press, write, pick, tick };
};
