// A browser with one page for the tests of a file, which complains of nothing: no error, and nothing that axe knows.
import assert from 'node:assert/strict';
import {after, afterEach, before} from 'node:test';

import {AxeBuilder, openBrowser} from './browser.mjs';

export const PATIENCE_MS = 20_000; // only a failure takes that long
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

/** Waits until as many of these are on the page: what a click or an address asked for is not there at once. */
export async function counts(locator, wanted, why) {
  const end = Date.now() + PATIENCE_MS;
  while ((await locator.count()) !== wanted && Date.now() < end) await page.waitForTimeout(50);
  assert.equal(await locator.count(), wanted, why);
}

/** No violation that axe knows of WCAG 2.1 A and AA; of some rules only, where they are given. */
export async function accessible(rules) {
  const builder = new AxeBuilder({page});
  const {violations} = await (rules ? builder.withRules(rules)
    : builder.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'])).analyze();
  assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`), []);
}
