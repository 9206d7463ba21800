// A browser with one page for the tests of a file, which complains of nothing: no error, and nothing that axe knows.
import assert from 'node:assert/strict';
import {after, afterEach, before} from 'node:test';

import {AxeBuilder, openBrowser} from './browser.mjs';

export const PATIENCE_MS = 60_000; // only a failure takes that long
export const HOSTILE = '"><img src=x onerror=window.hacked=1> \u202egnirts\u202c مرحبا 🚀';

export let browser;
export let page;
const complaints = [];

before(async () => {
  browser = await openBrowser();
  page = browser.context.pages()[0] ?? (await browser.context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|ERR_|WebSocket connection to/.test(message.text())) complaints.push(message.text());
  });
});

after(() => browser?.close());

afterEach(() => {
  assert.deepEqual(complaints.splice(0), [], 'the page complained');
});

export const see = (text, options = {}) => page.getByText(text, options).first().waitFor();

/** What `read` gives once `fits` holds of it: what a click or an address asked for is not there at once. */
export async function becomes(read, fits, why) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await read();
    if (fits(seen)) return seen;
    assert.ok(Date.now() < end, `${why ?? 'it never was so'}: ${JSON.stringify(seen)}`);
    await page.waitForTimeout(50);
  }
}

/** Waits until as many of these are on the page. */
export const counts = (locator, wanted, why) => becomes(() => locator.count(), (count) => count === wanted, why ?? `not ${wanted}`);

/** Waits until the keyboard is at what has that text. */
export const focused = (text) => page.locator(':focus', {hasText: text}).waitFor();

/** Waits until the address says that of the page, and has it in `name`. */
export const addressed = (name, value) => page.waitForURL((url) => new URLSearchParams(url.hash.split('?')[1] ?? '').get(name) === value);

/** No violation that axe knows of WCAG 2.1 A and AA; of some rules only, where they are given. */
export async function accessible(rules) {
  const builder = new AxeBuilder({page});
  const {violations} = await (rules ? builder.withRules(rules)
    : builder.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'])).analyze();
  assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`), []);
}
