// A terminal in a running task, in a real browser, on a real server.
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, counts, focused, page, see} from './stage.mjs';

describe('a terminal', () => {
  let cloud;
  let job;
  const lines = (text) => page.locator('.xterm-rows > div', {hasText: text}).first();
  const state = (text) => page.getByTestId('shell-state').getByText(text);
  const visit = async (id) => {
    await page.goto(`${cloud.url}/#/jobs`); // so that the page of the job begins anew
    await page.locator(`[data-job="${id}"]`).getByRole('link').first().click();
    await page.getByRole('tab', {name: 'terminal'}).click();
  };

  before(async () => {
    cloud = await new Cloud().up();
    job = await cloud.submit({name: 'gang', command: 'sleep 1000', env: {WHO: 'the task'}});
    await cloud.wait(job, 'running');
  });
  after(() => cloud?.close());

  test('runs a shell in the task, and says how it ended', async () => {
    await visit(job);
    await page.getByRole('button', {name: 'Open a terminal'}).click();
    await state('running').waitFor();
    await page.keyboard.type('echo $((6*7)) is what $WHO says; printf "\\033[38;2;10;120;60mgreen\\033[0m\\n"');
    await page.keyboard.press('Enter');
    await lines('42 is what the task says').waitFor();
    await page.locator('.xterm-rows span[style*="color"]', {hasText: 'green'}).first().waitFor();
    await accessible();
    await page.keyboard.press('F6');
    await focused('Open anew'); // the keyboard is not caught
    await page.getByTestId('shell').locator('textarea').focus();
    await page.keyboard.type('exit 3');
    await page.keyboard.press('Enter');
    await state('The command has ended with exit code 3.').waitFor();
  });

  test('follows the size of the page, and a command of one’s own', async () => {
    await visit(job);
    await page.getByLabel('Command to run in the task').fill('sh -c "while :; do stty size; sleep 0.1; done"');
    await page.getByRole('button', {name: 'Open a terminal'}).click();
    const columns = async () => Number(/^\d+ (\d+)/m.exec(await lines(/^\d+ \d+/).innerText())?.[1]);
    await lines(/^\d+ \d+/).waitFor();
    const wide = await columns();
    await page.setViewportSize({width: 700, height: 860});
    await page.waitForFunction((before) => [...document.querySelectorAll('.xterm-rows > div')].some((row) => {
      const found = /^\d+ (\d+)/.exec(row.textContent);
      return found && Number(found[1]) < before;
    }), wide);
    await page.setViewportSize({width: 1280, height: 860});
    await page.getByRole('button', {name: 'Close'}).click();
    await counts(page.getByTestId('shell'), 0);
  });

  test('that cannot be had says so', async () => {
    await visit(job);
    await page.getByLabel('Command to run in the task').fill('gyre-no-such-command');
    await page.getByRole('button', {name: 'Open a terminal'}).click();
    await state('the command may be missing').waitFor();
    await page.evaluate(() => {
      window.kept = window.WebSocket;
      window.WebSocket = class { constructor() { throw new Error('blocked by the administrator'); } };
    });
    await page.getByRole('button', {name: 'Open anew'}).click();
    await state('blocked by the administrator').waitFor();
    await page.evaluate(() => { window.WebSocket = window.kept; });
    const done = await cloud.submit({name: 'done', command: 'true'});
    await cloud.wait(done, 'succeeded');
    await visit(done);
    await see('It has no running task');
    await page.getByRole('button', {name: 'Open a terminal', disabled: true}).waitFor();
  });
});
