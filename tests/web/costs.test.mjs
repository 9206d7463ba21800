// What is spent, in a real browser, on a server with prices and on one without.
import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, counts, page, see} from './stage.mjs';

describe('costs', () => {
  let shop;
  let free;
  before(async () => {
    free = await new Cloud().up();
    shop = new Cloud();
    await shop.up('--prices', shop.write('prices.yaml', 'version: 1\ngpu_hour: {default: 2, H100: 3.5}\ncpu_hour: 0.01\n'));
  });
  after(async () => {
    await shop?.close();
    await free?.close();
  });

  test('are shown where money is spent', async () => {
    const id = await shop.run('--name', 'train', '--gpu', '2', '--', 'sleep', '1000');
    await shop.wait(id, 'running');
    await page.goto(`${shop.url}/#/`);
    await page.locator('.tile', {hasText: 'spent just now'}).getByText('$7.00').waitFor();
    await page.goto(`${shop.url}/#/jobs/${id}`);
    await page.locator('.facts div', {hasText: 'Cost to date'}).getByText('$7.00 an hour').waitFor();
    await page.goto(`${shop.url}/#/queues`);
    await page.locator('[data-queue="default"]').getByText('$7.00 an hour').first().waitFor();
    await page.goto(`${shop.url}/#/costs`);
    await page.getByRole('button', {name: 'by job'}).click();
    await page.getByRole('table', {name: 'Costs by job'}).getByRole('link', {name: 'train'}).waitFor();
    await page.getByRole('table', {name: 'Prices in force'}).getByRole('row', {name: /H100 \$3.50/}).waitFor();
    await accessible();
  });

  test('are said before a job is submitted', async () => {
    await page.goto(`${shop.url}/#/submit`);
    await page.getByLabel('Command, run by /bin/sh').fill('true');
    await page.getByLabel('GPUs of each task').fill('2');
    await page.getByText('$7.00 an hour; how long it runs is not known').waitFor();
    await page.getByLabel('Expected to run for').fill('3h');
    await page.getByText('$7.00 an hour; $21.00 in 3 h 0 min, as it is expected to run').waitFor();
  });

  test('are nowhere without a price', async () => {
    await page.goto(`${free.url}/#/costs`);
    await see('No price is given');
    await page.goto(`${free.url}/#/`);
    await page.locator('.tile', {hasText: 'jobs on nodes'}).waitFor();
    await counts(page.locator('.tile', {hasText: 'spent just now'}), 0);
  });
});

describe('a job that does not use its GPUs', () => {
  let lazy;
  before(async () => {
    lazy = new Cloud();
    lazy.makeUpGpus(['set 0 gpm 1', 'set 1 gpm 1', 'set 0 sm_ppm 3000']);
    await lazy.up('--idle', lazy.write('idle.yaml', 'version: 1\nbelow: 5%\nfor: 2s\ngrace: 1h\n'));
  });
  after(() => lazy?.close());

  test('shows its warning, with what was seen and when it is stopped', async () => {
    const id = await lazy.run('--name', 'notebook', '--gpu', '1', '--', 'sleep', '1000');
    await lazy.wait(id, 'running');
    await page.goto(`${lazy.url}/#/jobs/${id}`);
    await see('It does not use its GPUs'); // without a reload
    await page.getByText(/0\.3 % SM activity for .* It is stopped at .* if it goes on/).waitFor();
    await page.getByRole('tab', {name: 'events'}).click();
    await page.getByRole('row', {name: /running running 1 warned: 0\.3 % SM activity/}).waitFor();
    await counts(page.locator('.timeline li', {hasText: 'running'}), 1);
    await accessible();
    await page.goto(`${lazy.url}/#/decisions?kind=warn`);
    await page.locator('.decision', {hasText: 'notebook'}).getByText('does not use its GPUs').waitFor();
  });
});
