// Takes the pictures of docs/guide/dashboard.md: `node tests/web/screenshots.mjs`, after `make build` and `npm ci` in web/.
import {mkdirSync} from 'node:fs';

import {openBrowser} from './browser.mjs';
import {Cloud} from './cloud.mjs';

const FOLDER = new URL('../../docs/guide/dashboard/', import.meta.url).pathname;
mkdirSync(FOLDER, {recursive: true});

const cloud = await new Cloud().up();
const live = {};
try {
  live.train = await cloud.run('--name', 'finetune-7b', '--gpu', '2', '--', 'sh', '-c',
    'i=0; while :; do i=$((i+1)); echo "step $i  loss $(awk "BEGIN{printf \\"%.4f\\", 2.3/(1+$i/40)}")"; sleep 0.05; done');
  await cloud.wait(live.train, 'running');
  await cloud.run('--name', 'notebook', '--gpu', '0.5', '--', 'sleep', '1000');
  live.waits = await cloud.run('--name', 'pretrain-70b', '--gpu', '4', '--priority', '9', '--', 'sleep', '1000');
  const broken = await cloud.run('--name', 'broken', '--', 'sh', '-c', 'echo "no such file: data.bin" >&2; exit 3');
  await cloud.wait(broken, 'failed');
  for (const size of [1, 1, 2]) await cloud.run('--name', `sweep-${size}`, '--gpu', String(size), '--', 'sleep', '1000');
  for (let i = 0; i < 5; ++i) await cloud.wait(await cloud.run('--name', `evaluate-${i}`, '--', 'true'), 'succeeded');
  await shoot(cloud.url, [
    ['jobs', '/jobs', (page) => page.getByText('waiting for turn').first().waitFor()],
    ['job', `/jobs/${live.train}`, (page) => page.locator('.line', {hasText: 'loss'}).last().waitFor()],
    ['waiting', `/jobs/${live.waits}`, (page) => page.getByText('needs 4 GPUs').waitFor()],
    ['submit', '/submit', async (page) => {
      await page.getByLabel('Name').fill('train');
      await page.getByLabel('Command, run by /bin/sh').fill('python3 train.py --epochs 3');
      await page.getByLabel('GPUs of each task').fill('H100:80GB:1');
      await page.getByText('A plan is not a promise').waitFor();
    }],
    ['node', '/nodes', async (page) => {
      await page.getByRole('table', {name: 'Nodes'}).getByRole('link').click();
      await page.getByRole('link', {name: 'finetune-7b'}).waitFor();
    }],
    ['overview', '/', (page) => page.locator('.decision').first().waitFor()],
    ['queues', '/queues', (page) => page.locator('.chart').first().waitFor()],
    ['nodes', '/nodes', (page) => page.locator('.card').first().waitFor()],
    ['efficiency', '/efficiency', (page) => page.getByRole('link', {name: 'finetune-7b'}).waitFor()],
    ['decisions', '/decisions', (page) => page.locator('.decision').first().waitFor()],
  ]);
  await shoot(cloud.url, [['overview', '/', (page) => page.locator('.chart').first().waitFor()]], 'dark');
} finally {
  await cloud.close();
}

async function shoot(url, pages, scheme = 'light') {
  const browser = await openBrowser({colorScheme: scheme, timezoneId: 'UTC'});
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  for (const [name, path, ready] of pages) {
    await page.goto(`${url}/#${path}`);
    await page.getByTestId('link').getByText('live').waitFor();
    await ready(page);
    await page.screenshot({path: `${FOLDER}${name}${scheme === 'dark' ? '-dark' : ''}.png`, animations: 'disabled'});
    console.log(`${name}${scheme === 'dark' ? '-dark' : ''}.png`);
  }
  await browser.close();
}
