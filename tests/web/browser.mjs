// Debian's Chromium, driven by Playwright from web/node_modules.
import {createRequire} from 'node:module';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
export const {chromium} = require('playwright-core');
export const {AxeBuilder} = require('@axe-core/playwright');

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync) ?? '/usr/bin/chromium';
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/** A browser of its own; `close()` leaves nothing behind. */
export async function openBrowser(options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gyre-browser-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: PROGRAM, headless: true, args: QUIET, viewport: {width: 1280, height: 860}, ...options,
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(folder, {recursive: true, force: true});
    },
  };
}
